"""Questions to ask, one a file."""
