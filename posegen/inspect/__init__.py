"""Looking at what was built: summarised, verified, compared, drawn; a module for each of the command line's words."""
