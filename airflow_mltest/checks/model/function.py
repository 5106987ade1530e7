"""A plain function as a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionModel:
    """
    A callable that answers a data frame, such as a rule that a model has to beat.

    Args:
        function: Takes the rows without the target, and gives an answer for each.
        name: Of no registered model.
        version: None.
        digest: None: what a callable does, no digest tells.
    """

    function: Callable[[Any], Any]
    name: str = ""
    version: str = ""
    digest: str = ""

    @property
    def uri(self) -> str:
        """Where it is written: `module:name`."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"{self.function.__module__}:{name}"

    @property
    def inputs(self) -> Mapping[str, str] | None:
        """It does not say what it takes."""
        return None

    def predict(self, rows: Any) -> Any:
        """Call it."""
        return self.function(rows)

    def scores(self, rows: Any) -> np.ndarray | None:  # noqa: ARG002  the port's
        """It gives no probabilities."""
        return None
