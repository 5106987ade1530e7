"""Data classes, abstract classes, named tuples, enumerations."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


@dataclass
class Item:
    name: str
    count: int = 1


class Store(ABC):
    @abstractmethod
    def get(self):
        """Give it."""


class Shelf(Store):
    def get(self):
        return "book"


class Point(NamedTuple):
    x: int
    y: int = 0


class Colour(Enum):
    RED = 1
    BLUE = 2
