"""What a result is and how it is judged: the standard library and numpy, nothing else."""
