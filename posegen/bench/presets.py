"""Section `presets`."""
