"""What is promised of data tests, measured side by side in one run."""
