"""Greetings."""

from shop.loud import loud


@loud
def hello(name):
    return f"hello {name}"
