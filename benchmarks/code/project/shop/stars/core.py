__all__ = ["core"]


def core():
    return 1


def hidden():
    return 2
