"""Amounts as Kubernetes writes them: `500m` of a CPU, `16Gi` of memory."""

from __future__ import annotations

import math
import re

GIB = 2**30
_NUMBER = re.compile(r"(?P<number>\d+\.?\d*|\.\d+)(?P<exponent>[eE][+-]?\d+)?(?P<unit>[A-Za-z]*)")
_DECIMAL = {
    unit: 1000.0**power for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), start=-3)
}
_BINARY = {f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", start=1)}
_UNITS = {**_DECIMAL, **_BINARY}


def amount(text: str) -> float:
    """
    Read a quantity: CPUs of `500m`, bytes of `16Gi`.

    Raises:
        ValueError: It is no quantity; the words say why.
    """
    found = _NUMBER.fullmatch(text.strip())
    if not found:
        msg = f"it is a number with a unit, such as '500m' or '16Gi', not {text!r}"
        raise ValueError(msg)
    if found["unit"] not in _UNITS:
        meant = f"{found['number']}{found['unit'][0].upper()}i"
        hint = f"; did you mean {meant!r}?" if meant.removeprefix(found["number"]) in _BINARY else ""
        msg = f"{text!r} has the unknown unit {found['unit']!r}: there are {', '.join(filter(None, _UNITS))}{hint}"
        raise ValueError(msg)
    return float(found["number"] + (found["exponent"] or "")) * _UNITS[found["unit"]]


def cpus_of(value: object) -> float:
    """
    Read a number of CPUs: 2, 0.5, "500m".

    Raises:
        ValueError: It is none above 0.
    """
    found = amount(value) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < math.inf:
        msg = f"it is a number above 0, or a text such as '500m', not {value!r}"
        raise ValueError(msg)
    if found < _DECIMAL["m"]:
        msg = f"the least that Kubernetes gives is '1m', not {value!r}"
        raise ValueError(msg)
    return float(found)


def gib_of(value: object) -> float:
    """
    Read an amount of memory as GiB (2**30 bytes): 16, 0.5, "16Gi", "512Mi", "2G".

    Raises:
        ValueError: It is none of at least 1 MiB, or a text without a unit, which in Kubernetes would be bytes.
    """
    if isinstance(value, str) and re.fullmatch(r"[\d.]+", value.strip()):
        msg = f"{value!r} has no unit: write '{value.strip()}Gi', or the number of GiB without quotes"
        raise ValueError(msg)
    found = amount(value) / GIB if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < math.inf:
        msg = f"it is a number of GiB above 0, or a text such as '16Gi', not {value!r}"
        raise ValueError(msg)
    if found < 1 / 1024:
        hint = f": did you mean '{value[:-1]}Mi'?" if isinstance(value, str) and value.endswith("m") else ""
        msg = f"{value!r} is less than 1 MiB{hint}"
        raise ValueError(msg)
    return float(found)


def cpus_in_words(cpus: float) -> str:
    """Write a number of CPUs, to a thousandth, which is as fine as Kubernetes gives them."""
    thousandths = round(cpus * 1000)
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def gib_in_words(gib: float) -> str:
    """Write an amount of memory in the largest unit in which it is a whole number."""
    whole = round(gib * GIB)
    for unit in ("Gi", "Mi", "Ki"):
        if whole % _BINARY[unit] == 0:
            return f"{whole // int(_BINARY[unit])}{unit}"
    return str(whole)
