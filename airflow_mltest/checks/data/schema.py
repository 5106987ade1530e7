"""Does the data have the columns that a model takes?"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.checks.columns import require_distinct
from airflow_mltest.checks.model.signature import columns_of_other_types
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from airflow_mltest.checks.data.subject import DataSubject

# MLflow's; what is no plain word, such as Array(double), is its own business.
_TYPES = ("boolean", "integer", "long", "float", "double", "string", "binary", "datetime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """
    The data has each column of a model's signature, in its type.

    Types are compared as MLflow does when the model is asked: a number may become one of more bytes, and none of fewer.
    All that does not fit is told at once. Columns that the signature does not have, or another order, are told, and
    are faults only where that is asked for.

    Args:
        columns: The signature: MLflow's type names by column, in order, as `Model.inputs` gives them; or a function
            that returns them, called in the task.
        optional: Columns that may be missing; those that are there have the signature's type.
        ordered: The columns come in the signature's order.
        closed: There are no others, but for those of *besides*.
        besides: Other columns that are expected, such as the target or a key.
    """

    columns: Mapping[str, str] | Callable[[], Mapping[str, str] | None]
    optional: Sequence[str] = ()
    ordered: bool = False
    closed: bool = False
    besides: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.columns, Mapping):
            self._checked(self.columns)

    def run(self, subject: DataSubject) -> Case:
        """Compare names, types and order."""
        require_distinct(subject.rows.columns, "the data")
        wanted = self.columns if isinstance(self.columns, Mapping) else self._checked(self.columns())
        faults = [*self._missing(subject.rows, wanted), *columns_of_other_types(subject.rows, wanted)]
        notes: list[str] = []
        extra = [str(name) for name in subject.rows.columns if name not in wanted and name not in set(self.besides)]
        if extra:
            (faults if self.closed else notes).append(f"not in the signature: {', '.join(extra)}")
        order = [name for name in subject.rows.columns if name in wanted]
        if order != [name for name in wanted if name in set(order)]:
            (faults if self.ordered else notes).append(f"another order: {', '.join(order)} for {', '.join(wanted)}")
        detail = [*faults, *notes] if faults or notes else [f"all {len(wanted)} columns of the signature, in its types"]
        return Case(
            name="schema",
            outcome=Outcome.FAILED if faults else Outcome.PASSED,
            detail="\n".join(detail),
            measurements=(Measurement(name="schema_faults", value=len(faults), maximum=0),),
        )

    def _missing(self, rows: pd.DataFrame, wanted: Mapping[str, str]) -> list[str]:
        names = [str(name) for name in rows.columns if name not in wanted]
        told = []
        for name in wanted:
            if name in rows.columns or name in set(self.optional):
                continue
            near = difflib.get_close_matches(name, names, n=1)
            told.append(f"there is no column {name}" + (f"; is it {near[0]}?" if near else ""))
        return told

    def _checked(self, columns: Mapping[str, str] | None) -> Mapping[str, str]:
        if not columns:
            msg = "Schema: there is no signature to compare with: log the model with "
            raise ConfigurationError(msg + "`signature=infer_signature(rows, answers)`, or name the columns.")
        for name, kind in columns.items():
            if kind.isalpha() and kind.islower() and kind not in _TYPES:
                near = difflib.get_close_matches(kind, _TYPES, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                msg = f"Schema: {kind!r} of column {name!r} is no type of MLflow: {hint}There are {', '.join(_TYPES)}."
                raise ConfigurationError(msg)
        return columns
