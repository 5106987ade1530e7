"""A suite on paper: merge, write, keep."""
