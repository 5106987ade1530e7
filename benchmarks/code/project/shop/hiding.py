"""Names that star imports give, hide and leave out."""

from shop.depths import depth, width
from shop.shallows import *


def measures():
    return depth(), width(), height()
