"""Which changes to a row are possible in the world that it describes."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """
    What may change in a row, and how far.

    By default every number may move within the range that the data has, by whole steps where the data
    has whole numbers only, and a category, a string or a boolean may become another one that the data
    has. Dates, and values that are missing or infinite, never change. A row that is outside the range
    already may stay there, and go back, but not farther out.

    Distances are in scaled units: a number's unit is the standard deviation of its column, unless
    `units` says otherwise; another category counts *category_cost*, as in Gower's distance.

    Args:
        immutable: Features that never change.
        increasing: Numbers that may only rise, such as an age.
        decreasing: Numbers that may only fall.
        integer: Numbers that move by whole steps, rounded towards the original, besides those of integer
            types; None: all numbers of which the data has whole ones only.
        categorical: Features that are names, also if they look like numbers; None: those that are no
            numbers, and booleans.
        derived: Features that *repair* computes from others. They are not moved on their own, and count
            neither as a distance nor as a changed feature.
        bounds: The least and the greatest value of a number, by feature.
        quantiles: For other features, the quantiles of the data between which they may move.
        units: What one scaled unit is, in the feature's own unit, by feature.
        category_cost: Scaled units that another category counts: it takes part from that budget on.
        repair: Takes a data frame of changed rows, and gives it with the derived features set anew.
        valid: Takes a data frame of changed rows, and gives a boolean a row: whether it could exist.
    """

    immutable: tuple[str, ...] = ()
    increasing: tuple[str, ...] = ()
    decreasing: tuple[str, ...] = ()
    integer: tuple[str, ...] | None = None
    categorical: tuple[str, ...] | None = None
    derived: tuple[str, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    quantiles: tuple[float, float] = (0.0, 1.0)
    units: Mapping[str, float] = field(default_factory=dict)
    category_cost: float = 1.0
    repair: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    valid: Callable[[pd.DataFrame], np.ndarray | pd.Series[bool]] | None = None

    def __post_init__(self) -> None:
        low, high = self.quantiles
        if not 0 <= low < high <= 1:
            msg = f"Constraints: quantiles are two shares in order, such as (0.01, 0.99), not {self.quantiles}."
            raise ConfigurationError(msg)
        for name, (least, most) in self.bounds.items():
            if not least <= most:
                msg = f"Constraints: the bounds of {name!r} are ({least}, {most}): the first is to be the least."
                raise ConfigurationError(msg)
        for name, unit in {**self.units, "category_cost": self.category_cost}.items():
            if not (0 < unit < math.inf):
                msg = f"Constraints: the unit of {name!r} is above 0, not {unit}."
                raise ConfigurationError(msg)
        if self.derived and self.repair is None:
            msg = f"Constraints: {', '.join(self.derived)} are derived: `repair` has to say how."
            raise ConfigurationError(msg)
        self._require_disjoint()

    def require_columns(self, columns: Iterable[str]) -> None:
        """
        Refuse names that are no features.

        Raises:
            ConfigurationError: A name is none of *columns*; the message has the nearest one.
        """
        known = [str(column) for column in columns]
        for where, names in self._named().items():
            for name in names:
                if name not in known:
                    near = difflib.get_close_matches(name, known, n=1)
                    hint = f"did you mean {near[0]!r}? " if near else ""
                    msg = f"Constraints: {where} names {name!r}; {hint}the model takes {', '.join(known)}."
                    raise ConfigurationError(msg)

    def _named(self) -> dict[str, tuple[str, ...]]:
        return {
            "immutable": self.immutable,
            "increasing": self.increasing,
            "decreasing": self.decreasing,
            "integer": self.integer or (),
            "categorical": self.categorical or (),
            "derived": self.derived,
            "bounds": tuple(self.bounds),
            "units": tuple(self.units),
        }

    def _require_disjoint(self) -> None:
        """Refuse what cannot both be: each of these says of a feature what the others deny."""
        named = self._named()
        for where, names in named.items():
            if isinstance(getattr(self, where), str):
                msg = f"Constraints: {where} is a tuple of names, such as ({getattr(self, where)!r},), not one name."
                raise ConfigurationError(msg)
            if len(set(names)) < len(names):
                msg = f"Constraints: {where} names a feature twice: {', '.join(names)}."
                raise ConfigurationError(msg)
        for one, other in (
            ("increasing", "decreasing"),
            ("increasing", "immutable"),
            ("decreasing", "immutable"),
            ("derived", "immutable"),
            ("categorical", "integer"),
            ("categorical", "increasing"),
            ("categorical", "decreasing"),
            ("categorical", "bounds"),
            ("categorical", "units"),
        ):
            both = set(named[one]) & set(named[other])
            if both:
                msg = f"Constraints: {', '.join(sorted(both))} cannot be in both {one} and {other}."
                raise ConfigurationError(msg)
