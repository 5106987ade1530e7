"""Run as `python -m shop.report`."""


def line():
    return "total 5"


if __name__ == "__main__":
    print(line())
