"""What is promised of model tests, measured side by side in one process."""
