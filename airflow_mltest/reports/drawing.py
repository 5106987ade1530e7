"""The parts of a drawing as SVG, with every text escaped."""

from __future__ import annotations

import unicodedata
from html import escape

from airflow_mltest.reports.xml_text import xml_text

WIDTH = 340.0
"""Of all drawings: little enough that text is legible where this becomes the width of a telephone."""

FONT = 12.0
"""The size of text."""

LETTER = 6.4
"""About the width of a letter."""

LINE = 16.0
"""The height of a line of text."""

LETTERS = int(WIDTH / LETTER)
"""How many letters a line has room for."""

SERIES = 8
"""How many series are drawn: of more, no two can be told apart."""


def shape(name: str, content: str = "", /, *, kind: str = "", **attributes: float | str) -> str:
    """
    Write one element.

    Args:
        name: The element's.
        content: Elements, or text that has been escaped.
        kind: Its class in `report.css`.
        attributes: Others; an underscore stands for a hyphen.
    """
    given = ({"class": kind} if kind else {}) | attributes
    said = "".join(f' {key.replace("_", "-")}="{_value(value)}"' for key, value in given.items())
    return f"<{name}{said}>{content}</{name}>" if content else f"<{name}{said}/>"


def words(x: float, y: float, said: str, /, *, kind: str, most: int, **attributes: float | str) -> str:
    """Write *said* at a place, on one line of at most *most* letters; all of it where the pointer rests."""
    short = shortened(said, most)
    whole = hint(said) if short != said else ""
    return shape("text", whole + escaped(short), kind=kind, x=x, y=y, **attributes)


def hint(said: str) -> str:
    """Write what is shown where the pointer rests on the element around it."""
    return shape("title", escaped(said))


def escaped(said: str) -> str:
    """Write text that comes from anywhere."""
    return escape(xml_text(said))


def shortened(said: str, most: int) -> str:
    """Cut *said* to the width of *most* letters."""
    line = " ".join(said.split()) if said.isprintable() else " ".join(xml_text(said).split())
    if letters(line) <= most:
        return line
    end = min(len(line), most)
    while end and letters(line[:end]) > most - 1:
        end -= 1
    return line[:end].rstrip() + "…"


def letters(said: str) -> int:
    """Count the letters that *said* is wide: those of East Asia are two."""
    if said.isascii():
        return len(said)
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in said)


def _value(value: float | str) -> str:
    if isinstance(value, str):
        return escaped(value)
    return f"{value:.1f}".removesuffix(".0")
