"""Classes whose children are asked for, or stand in an `if`."""


class Animal:
    legs = 4


if len("dog") == 3:

    class Dog(Animal):
        pass


def kinds():
    return sorted(kind.__name__ for kind in Animal.__subclasses__())
