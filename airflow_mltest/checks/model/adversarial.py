"""Does the model still answer right when somebody searches for the small change that misleads it?"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.search import Search
from airflow_mltest.attacks.space import Space
from airflow_mltest.attacks.starts import MOST_ROWS, Pool
from airflow_mltest.attacks.target import Target
from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.classes import gives_classes
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.checks.model.robust_accuracy import RobustAccuracy, in_words
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.core.statistics import rows_needed, verdict, would_decide

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject

# Nearly all: some rows are right whatever happens to the features that may change.
_CONTROL_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversarial:
    """
    The robust accuracy is at least *minimum*, beyond luck.

    Robust accuracy is the share of rows that are answered right, and for which no change within the
    budget was found that makes the answer another one. Changes are searched for black box: by
    probabilities where the model gives them, else by its answers alone. Each adversary that counts
    was asked again through the model, in the types of the data, and obeys the constraints.

    That no adversary was found proves something only if the attack is able to find some. So a much
    greater budget, *control*, has to mislead the model in nine of ten rows; otherwise the case does
    not pass, but is inconclusive. A model that is proven to be too weak fails anyhow.

    Args:
        minimum: The least robust accuracy within *budget*, a share.
        budget: How far each feature may move, in scaled units: standard deviations, or what
            `Constraints.units` says.
        budgets: Others at which robust accuracy is reported.
        max_features: How many features may change at once; None: all.
        control: The budget within which nearly every row has to be misled.
        constraints: Which changes are possible.
        rows: At most so many rows are attacked, drawn by the subject's seed.
        method: "scores" or "labels"; "auto" takes scores where there are any, which find a little more.
        tolerance: For numbers: an answer that moves by more than this is another one, and one that is off
            by more is wrong. In the answer's unit.
        confidence: That the true robust accuracy is not beyond the end that is compared, a share.
        max_seconds: Then the search ends; rows that were not attacked are unknown, and the case cannot pass.
    """

    minimum: float | None = None
    budget: float = 0.5
    budgets: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0)
    max_features: int | None = None
    control: float = 5.0
    constraints: Constraints = field(default_factory=Constraints)
    rows: int = 500
    method: Literal["auto", "scores", "labels"] = "auto"
    tolerance: float | None = None
    confidence: float = 0.95
    max_seconds: float = 300.0

    def __post_init__(self) -> None:
        require_confidence("Adversarial", self.confidence)
        for holds, wanted in (
            (self.minimum is not None and 0 <= self.minimum <= 1, f"a minimum from 0 to 1, not {self.minimum}"),
            (all(0 < one < math.inf for one in self._budgets), f"budgets above 0, not {self._budgets}"),
            (max(self._budgets) < self.control < math.inf, f"a control above all budgets, not {self.control}"),
            (self.max_features is None or self.max_features >= 1, f"max_features from 1 on, not {self.max_features}"),
            (self.rows >= 1, f"rows from 1 on, not {self.rows}"),
            (self.method in {"auto", "scores", "labels"}, f"auto, scores or labels as method, not {self.method!r}"),
            (self.tolerance is None or 0 < self.tolerance < math.inf, f"a tolerance above 0, not {self.tolerance}"),
            (self.max_seconds > 0, f"max_seconds above 0, not {self.max_seconds}"),
        ):
            if not holds:
                msg = f"Adversarial needs {wanted}."
                raise ConfigurationError(msg)

    @property
    def _budgets(self) -> tuple[float, ...]:
        return tuple(sorted({self.budget, *self.budgets}))

    def run(self, subject: ModelSubject) -> Case:
        """Attack rows that are answered right, and count those that stay right."""
        self._require_answers(subject)
        drawn = subject.rng().permutation(len(subject.labels))[: self.rows]
        target = self._target(subject, drawn[self._right(subject)[drawn]])
        search = Search(
            method="scores" if self._by_scores(subject) else "labels",
            budgets=(*self._budgets, self.control),
            pool=self._pool(subject, target.space),
            seed=subject.seed,
        )
        found = search.run(target, on_progress=subject.progress)
        return self._case(
            RobustAccuracy(drawn=len(drawn), target=target, found=found, confidence=self.confidence), search.method
        )

    def _require_answers(self, subject: ModelSubject) -> None:
        numbers = {subject.labels.dtype.kind, subject.predictions.dtype.kind} <= set("fiu")
        if self.tolerance is not None and not numbers:
            msg = "Adversarial: a tolerance is for answers that are numbers; these are labels, which differ or not."
            raise ConfigurationError(msg)
        if self.tolerance is None and not gives_classes(subject):
            msg = "Adversarial: the model answers with numbers; say by `tolerance` from where on an answer is another."
            raise ConfigurationError(msg)

    def _right(self, subject: ModelSubject) -> np.ndarray:
        if self.tolerance is None:
            return np.asarray(subject.predictions == subject.labels, dtype=bool)
        right: np.ndarray = np.abs(subject.predictions.astype(float) - subject.labels) <= self.tolerance
        return right

    def _target(self, subject: ModelSubject, rows: np.ndarray) -> Target:
        ends = time.monotonic() + self.max_seconds
        answers, own = subject.predictions[rows], None if self.tolerance is not None else _own(subject)
        return Target(
            space=Space.of(subject.features, self.constraints),
            constraints=self.constraints,
            rows=subject.features.iloc[rows],
            answers=answers if self.tolerance is None else answers.astype(float),
            ask=subject.ask,
            scores=None if own is None else subject.ask_scores,
            own=None if own is None else own[rows],
            tolerance=self.tolerance,
            out_of_time=lambda: time.monotonic() > ends,
            max_features=self.max_features,
        )

    def _by_scores(self, subject: ModelSubject) -> bool:
        given = self.tolerance is not None or (subject.scores is not None and subject.scores.shape[1] > 1)
        if self.method == "scores" and not given:
            msg = "Adversarial: the model gives labels only; the method is to be labels, or auto."
            raise ConfigurationError(msg)
        return given and self.method != "labels"

    def _pool(self, subject: ModelSubject, space: Space) -> Pool:
        """Draw rows to start from: also those that are answered wrong, and that are not attacked."""
        drawn = np.sort(subject.rng().permutation(len(subject.labels))[:MOST_ROWS])
        return Pool(points=space.encode(subject.features.iloc[drawn]), answers=subject.predictions[drawn])

    def _case(self, robust: RobustAccuracy, method: str) -> Case:
        interval, reserve = robust.interval(self.budget), self._reserve(robust)
        outcome = verdict(interval, minimum=self.minimum)
        if reserve and outcome is Outcome.PASSED:
            outcome = Outcome.INCONCLUSIVE
        median, ends = robust.smallest()
        examples = robust.examples()
        measurements = [robust.measured(one, self.minimum if one == self.budget else None) for one in self._budgets]
        if math.isfinite(median):
            measurements.append(
                Measurement(
                    name="adversarial_budget_median",
                    value=median,
                    low=ends.low if math.isfinite(ends.low) else None,
                    high=ends.high if math.isfinite(ends.high) else None,
                    confidence=ends.confidence,
                )
            )
        facts = {
            "method": method,
            "rows": robust.drawn,
            "rows_right": len(robust.target.rows),
            "rows_attacked": robust.attacked,
            "misled_by_control_share": float(robust.misled(self.control).mean()) if robust.attacked else None,
            "gives_way_first": robust.gives_way_first(self.budget),
            "examples": examples,
        }
        return Case(
            name="adversarial",
            outcome=outcome,
            detail="\n".join([self._detail(robust, outcome, reserve), *map(in_words, examples)]),
            measurements=tuple(measurements),
            facts=facts,
            figures=(robust.figure(self._budgets, self.minimum),) if robust.known else (),
        )

    def _reserve(self, robust: RobustAccuracy) -> str:
        """Say why it proves nothing that no more adversaries were found; empty when it does."""
        if robust.unknown:
            return f"after {self.max_seconds:g} s {robust.unknown} rows were not attacked, and may be either"
        misled = robust.misled(self.control)
        if robust.attacked and misled.mean() < _CONTROL_SHARE:
            return (
                f"even a budget of {self.control:g} misleads only {int(misled.sum())} of {robust.attacked} rows, and "
                "an attack that cannot attack proves nothing: let more change, or see if the model looks at its input"
            )
        return ""

    def _detail(self, robust: RobustAccuracy, outcome: Outcome, reserve: str) -> str:
        interval, share = robust.interval(self.budget), robust.share(self.budget)
        told = (
            f"{share:.4g} of rows are answered right and stay so within {self.budget:g} scaled units, between "
            f"{interval.low:.4g} and {interval.high:.4g} on {robust.drawn} rows; wanted at least {self.minimum:g}"
        )
        if reserve:
            told += f"; {reserve}"
        elif outcome is Outcome.INCONCLUSIVE:
            needed = rows_needed(share, interval, robust.drawn, minimum=self.minimum)
            told += would_decide(needed)
        median, _ = robust.smallest()
        if math.isfinite(median):
            told += f"; half of the right rows are misled within {median:.3g}"
        first = robust.gives_way_first(self.budget)
        if first:
            told += "; gives way first: " + ", ".join(f"{name} ({of:.0%} of changes)" for name, of in first.items())
        return told


def _own(subject: ModelSubject) -> np.ndarray | None:
    """Find the column of the probabilities that is each row's answer, shape (n,)."""
    scores = subject.scores
    if scores is None:
        return None
    classes = Answers.of(subject, scores=True).classes
    if len(classes) == scores.shape[1] and np.isin(subject.predictions, classes).all():
        places: np.ndarray = np.searchsorted(classes, subject.predictions)
        return places
    # A class that the truth does not have: the columns have no names then.
    likeliest: np.ndarray = scores.argmax(axis=1)
    return likeliest
