"""From numbers to places on paper, and ticks that are round numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Beyond these, the difference of two numbers is no number any more, or none that differs from 0.
_GREATEST, _LEAST = 1e300, 1e-300
_MOST_DECADES = 6
_FIGURES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """
    A scale along one direction of a drawing.

    Args:
        low: The least number on it.
        high: The greatest; more than *low*.
        start: Where *low* is.
        end: Where *high* is.
        log: It is logarithmic; then *low* is above 0.
        whole: Between whole numbers there is nothing, and no tick.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False

    def at(self, value: float) -> float:
        """Place *value*; what is beyond an end is put there."""
        within = min(max(value, self.low), self.high)
        if self.log:
            share = (math.log(within) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            share = (within - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Give the places of round numbers, 1, 2 or 5 times a power of ten, and how they are written."""
        if not self.log:
            return self._linear(most)
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        every = max(1, -(-(last - first) // _MOST_DECADES))
        factors = (1, 2, 5) if last - first < 2 else (1,)  # noqa: PLR2004  of two decades, three ticks are enough
        numbers = [factor * 10.0**size for size in range(first - 1, last + 1, every) for factor in factors]
        inside = [number for number in numbers if self.low * (1 - 1e-9) <= number <= self.high * (1 + 1e-9)]
        return [(self.at(number), written(number)) for number in inside] if len(inside) > 1 else self._linear(most)

    def _linear(self, most: int) -> list[tuple[float, str]]:
        step = _step(self.high - self.low, most)
        step = max(step, 1.0) if self.whole else step
        first, last = math.ceil(self.low / step - 1e-6), math.floor(self.high / step + 1e-6)
        numbers = [place * step for place in range(first, last + 1)]
        return [(self.at(number), _label(number, step, numbers)) for number in numbers]


def axis_of(values: Iterable[float], start: float, end: float, *, log: bool = False, round_ends: bool = True) -> Axis:
    """
    Make a scale that holds all *values* that are numbers; of none, it goes from 0 to 1.

    Args:
        values: What will be placed.
        start: Where the least is.
        end: Where the greatest is.
        log: Make it logarithmic, if any value is above 0.
        round_ends: Let it end at ticks.
    """
    known = [min(max(float(value), -_GREATEST), _GREATEST) for value in values if math.isfinite(value)]
    above = [max(value, _LEAST) for value in known if value > 0] if log else []
    if above:
        low, high = min(above), max(above)
        low, high = (low, high) if high > low * (1 + 1e-9) else (low / 2, high * 2)
        return Axis(low=low, high=high, start=start, end=end, log=True)
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    size = max(abs(low), abs(high))
    if high - low <= max(size * 1e-9, _LEAST):
        margin = size * 0.1 if size > _LEAST else 1.0
        low, high = low - margin, high + margin
    if round_ends:
        step = _step(high - low, 6)
        low, high = math.floor(low / step + 1e-6) * step, math.ceil(high / step - 1e-6) * step
    # Classes, counts and versions: half of one says nothing.
    whole = bool(known) and all(value.is_integer() for value in known)
    return Axis(low=low, high=high, start=start, end=end, whole=whole)


def written(value: float, figures: int = _FIGURES) -> str:
    """Write a number with so many figures at most, as people do."""
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else ("infinite" if value > 0 else "minus infinite")
    size = math.floor(math.log10(abs(value))) if value else 0
    if not -5 <= size < 15:  # noqa: PLR2004  beyond, zeros are harder to read than an exponent
        return _exponent(value, figures)
    text = f"{value:,.{max(0, figures - 1 - size)}f}"
    return _typeset(text.rstrip("0").rstrip(".") if "." in text else text)


def _label(value: float, step: float, others: list[float]) -> str:
    """Write a tick so that it differs from the next, a *step* away."""
    size = max(abs(other) for other in others)
    if not value:
        return "0"
    digits = math.floor(math.log10(step) + 1e-6)
    if size >= 1e6 or step < 1e-4:  # noqa: PLR2004  longer than the room beside an axis
        return _exponent(value, max(1, math.floor(math.log10(abs(value)) + 1e-6) - digits + 1))
    return _typeset(f"{value:,.{max(0, -digits)}f}")


def _exponent(value: float, figures: int) -> str:
    mantissa, _, exponent = f"{value:.{figures - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return _typeset(f"{mantissa}e{int(exponent)}")


def _typeset(text: str) -> str:
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")


def _step(span: float, most: int) -> float:
    """Find the least round step of which at most *most* go into *span*."""
    rough = span / most
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * (1 - 1e-9))
