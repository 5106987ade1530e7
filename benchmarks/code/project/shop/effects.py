"""Changes something elsewhere when it is imported."""

from shop import rates

rates.LIMITS["extra"] = 3
