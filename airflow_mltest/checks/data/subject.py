"""The rows that a data check looks at, and those that it compares them with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSubject:
    """
    What a data check's `run` is given.

    Args:
        rows: The data under test.
        reference: The data it should resemble, such as what the model was trained on, if any.
    """

    rows: pd.DataFrame
    reference: pd.DataFrame | None = None
