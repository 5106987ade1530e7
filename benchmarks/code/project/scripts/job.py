"""A script that is run by its path."""

RESULT = 6


def job():
    return RESULT * 7


if __name__ == "__main__":
    print(job())
