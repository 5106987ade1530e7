"""A text that travels with the package."""

from importlib import resources


def mail(name):
    return resources.files("shop.mail").joinpath("hello.txt").read_text().strip().format(name=name)
