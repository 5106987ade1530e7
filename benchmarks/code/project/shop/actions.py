"""Functions in a dictionary."""


def add(one, other):
    return one + other


def take(one, other):
    return one - other


ACTIONS = {"add": add, "take": take}


def act(name, *numbers):
    return ACTIONS[name](*numbers)
