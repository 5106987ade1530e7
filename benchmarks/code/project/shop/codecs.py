"""Named by an entry point, and by nobody else."""


def encode(value):
    return f"<{value}>"
