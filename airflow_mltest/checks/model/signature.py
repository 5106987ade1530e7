"""Does the model say what it takes, and does it take these rows?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject

_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """
    The model was logged with a signature, the data has each of its columns, and it answers them.

    MLflow holds a call to the signature, so a column of another type fails here as in production.
    """

    def run(self, subject: ModelSubject) -> Case:
        """Compare names, then let the model take the first rows."""
        inputs = subject.model.inputs
        if inputs is None:
            detail = f"{subject.model.uri} has no signature: log it with `signature=infer_signature(rows, answers)`"
            return Case(name="signature", outcome=Outcome.FAILED, detail=detail)
        missing = [name for name in inputs if name not in subject.rows.columns]
        if missing:
            detail = f"the data lacks {', '.join(missing)} of the signature's columns {', '.join(inputs)}"
            return Case(name="signature", outcome=Outcome.FAILED, detail=detail)
        rows = subject.features.head(_ROWS)
        try:
            subject.model.predict(rows.copy())
        except Exception as error:  # noqa: BLE001  whatever a model raises, it did not take the rows
            seen = ", ".join(f"{name} {dtype} for {inputs[str(name)]}" for name, dtype in rows.dtypes.items())
            return Case(
                name="signature", outcome=Outcome.FAILED, detail=f"{type(error).__name__}: {error}; given {seen}"
            )
        unused = [str(name) for name in subject.rows.columns if name not in inputs and name != subject.target]
        detail = f"{len(inputs)} columns" + (f"; not used: {', '.join(unused)}" if unused else "")
        return Case(name="signature", outcome=Outcome.PASSED, detail=detail)
