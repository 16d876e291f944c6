"""Pictures for people to look at: a sample with its labels, contact sheets, skeletons."""
