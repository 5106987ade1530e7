"""Wait for a commit or a model."""
