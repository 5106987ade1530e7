"""Rates."""

RATE = 19
LIMITS = {"low": 1, "high": 9}
