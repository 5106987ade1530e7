"""Does the model say what it takes, and does it take these rows?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject

_ROWS = 100
# MLflow's words for types: the kind and size in bytes of the numbers that each stands for.
_NUMBERS = {"boolean": ("b", 1), "integer": ("i", 4), "long": ("i", 8), "float": ("f", 4), "double": ("f", 8)}
_WHOLE = {"integer", "long"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """
    The model was logged with a signature, the data has each of its columns in its type, and it answers them.

    Types are compared as MLflow does when the model is asked: a number may become one of more bytes,
    and none of fewer. All that does not fit is told at once; columns that are not used, or that the
    data has in another order, are told too, and are no fault.
    """

    def run(self, subject: ModelSubject) -> Case:
        """Compare names and types, then let the model take the first rows."""
        inputs = subject.model.inputs
        if inputs is None:
            detail = f"{subject.model.uri} has no signature: log it with `signature=infer_signature(rows, answers)`"
            return _failed(detail)
        missing = [name for name in inputs if name not in subject.rows.columns]
        wrong = columns_of_other_types(subject.rows, inputs)
        if missing:
            lacks = f"the data lacks {', '.join(missing)} of the signature's columns {', '.join(inputs)}"
            wrong.insert(0, lacks)
        if wrong:
            return _failed("; ".join(wrong))
        rows = subject.features.head(_ROWS)
        try:
            subject.model.predict(rows.copy())
        except Exception as error:  # noqa: BLE001  whatever a model raises, it did not take the rows
            seen = ", ".join(f"{name} {dtype} for {inputs[str(name)]}" for name, dtype in rows.dtypes.items())
            return _failed(f"{type(error).__name__}: {error}; given {seen}")
        return Case(name="signature", outcome=Outcome.PASSED, detail=_told(subject, inputs))


def _failed(detail: str) -> Case:
    return Case(name="signature", outcome=Outcome.FAILED, detail=detail)


def _told(subject: ModelSubject, inputs: Mapping[str, str]) -> str:
    told = f"{len(inputs)} columns"
    unused = [str(name) for name in subject.rows.columns if name not in inputs and name != subject.target]
    if unused:
        told += f"; not used: {', '.join(unused)}"
    if [name for name in subject.rows.columns if name in inputs] != list(inputs):
        told += "; the data has them in another order, so send them by name"
    return told


def columns_of_other_types(rows: pd.DataFrame, inputs: Mapping[str, str]) -> list[str]:
    """
    Say of each column that MLflow would not take what it is, and what to do.

    Args:
        rows: The data.
        inputs: Column -> MLflow's name of its type, such as `double`.
    """
    found = []
    for name, wanted in inputs.items():
        if name in rows.columns and not _fits(rows[name], wanted):
            found.append(f"{name} is {rows[name].dtype} and the signature says {wanted}: {_remedy(rows[name], wanted)}")
    return found


def _fits(values: pd.Series[Any], wanted: str) -> bool:
    """
    Say whether MLflow gives a column to a model whose signature says *wanted*.

    Source:
        MLflow 3.17, `mlflow.models.utils._enforce_mlflow_datatype`.
    """
    kind = values.dtype.kind
    if values.dtype == object:
        return wanted not in _NUMBERS or _holds(values, wanted)  # of the others, the model tells when it is asked
    if kind == "O":
        return wanted in {"string", "binary"}
    if wanted in _NUMBERS:
        return not (wanted in _WHOLE and values.isna().any()) and _fits_number(values, *_NUMBERS[wanted])
    return kind == "M" if wanted == "datetime" else wanted not in {"string", "binary"}


def _fits_number(values: pd.Series[Any], to_kind: str, to_bytes: int) -> bool:
    kind, size = values.dtype.kind, getattr(values.dtype, "itemsize", 0)
    if kind == to_kind:
        return size <= to_bytes
    wider = kind == "u" and to_kind == "i", kind in "iu" and (to_kind, to_bytes) == ("f", 8)
    if any(wider) and size < to_bytes:
        return True
    return kind == "i" and to_kind == "f" and bool(values.isin([0, 1]).all())


def _holds(values: pd.Series[Any], wanted: str) -> bool:
    """Say whether a column of objects holds values of that kind; MLflow infers it from them, too."""
    import pandas as pd

    inferred = values.infer_objects()
    if inferred.dtype != object:
        return _fits(inferred, wanted)
    if wanted == "double":  # decimals, too
        return bool(pd.to_numeric(values, errors="coerce").notna().eq(values.notna()).all())
    return wanted == "boolean"


def _remedy(values: pd.Series[Any], wanted: str) -> str:
    if wanted in _WHOLE and values.isna().any():
        return (
            f"{int(values.isna().sum())} of its values are missing, which whole numbers cannot be. Fill them, or train "
            "with the column as float64 and log the signature of such rows, so that it says double"
        )
    if values.dtype.kind in "iu" and wanted in {"float", "double"}:
        return f"`.astype({np.dtype('f4' if wanted == 'float' else 'f8').name!r})` before the model is asked"
    return "give it in that type, or log the model with the signature of rows as these are"
