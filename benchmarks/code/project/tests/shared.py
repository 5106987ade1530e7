"""What several test files use."""


def expected_total():
    return 5
