"""Decisions, promotions and rollbacks of one model, in any registry, at any pace."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_mltest.core.claims import Pace
from airflow_mltest.core.decision import Decision, Finding
from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.core.promotion import promote
from airflow_mltest.core.rollback import retreat, roll_back

MODEL, ALIAS, TARGET = "churn", "champion", "churn@champion"
# What a promotion writes on the version before the alias moves.
COMPLETE = ("evidence", "decision", "approved_by", "approved_at", "replaced", "history", "promoted_at")
EVIDENCE = {"quality": {"address": "/reports/quality.json", "digest": f"sha256:{'a' * 64}"}}


@dataclass
class FakeTime:
    """Time that passes while somebody waits, and never else; *doing* is done each time somebody does."""

    now_s: float = 0.0
    doing: list = field(default_factory=list)

    def wait(self, seconds):
        self.now_s += seconds
        if self.doing:
            self.doing.pop(0)()

    def pace(self, **change):
        return Pace(clock=lambda: self.now_s, wait=self.wait, **change)


def real_pace(**change):
    """As in production, but for less patience."""
    return Pace(clock=time.monotonic, wait=time.sleep, **{"poll_s": 0.1, "settle_s": 0.02, **change})


def decision_on(registry, version, *, approved=True, model=MODEL, to="", **change):
    """Approve a version as a gate does, to go to *to* (else to *model*), with the alias as it is now."""
    finding = Finding(
        criterion="suite quality", holds=approved, seen="passed" if approved else "failed", wanted="passed"
    )
    fields = {
        "model": model,
        "version": version,
        "digest": registry.digest(model, version),
        "approved": approved,
        "findings": (finding,),
        "evidence": EVIDENCE,
        "decided_at": datetime.now(UTC).isoformat(),
        "target": f"{to or model}@{ALIAS}",
    }
    if "champion" not in change:
        fields["champion"] = registry.version_of(to or model, ALIAS)
    return Decision(**{**fields, **change})


def promoted(registry, decision, *, alias=ALIAS, pace=None, **more):
    """Carry a decision out."""
    return promote(registry, decision, alias=alias, pace=pace or FakeTime().pace(), **more)


def release(registry, *versions, model=MODEL):
    """Judge and promote some versions, one after the other."""
    for version in versions:
        promoted(registry, decision_on(registry, version, model=model))


def rolled_back(registry, to="", *, alias=ALIAS, who="one", pace=None):
    """Go back."""
    meant = retreat(registry, model=MODEL, alias=alias, to=to)
    return roll_back(registry, meant, who=who, pace=pace or FakeTime().pace())


def at(registry, model=MODEL):
    """Say where the alias points."""
    return registry.version_of(model, ALIAS)


def claims(registry, model=MODEL):
    """Give the claims that stand."""
    return [key for key in registry.model_tags(model) if ".claim." in key]


def told(registry, version, model=MODEL):
    """Give what is written of the alias on a version."""
    prefix = f"mltest.{ALIAS}."
    tags = registry.tags(model, version).items()
    return {key.removeprefix(prefix): value for key, value in tags if key.startswith(prefix)}


def deaths(mortal, registry, act):
    """Let *act* die at its first step, its second, ..., on a new registry each, and give each registry."""
    for steps in range(100):
        shared = registry()
        try:
            act(mortal(shared, steps))
        except mortal.death:
            yield shared
        else:
            return


def fault_of(act, *args, **more):
    """Do something, and give what is said where the registry does not answer; empty where it does."""
    try:
        act(*args, **more)
    except BrokenRunError as error:
        return str(error)
    return ""


def told_as_it_is(said, version, moved):
    """Tell whether an error says where the alias is, or that it is in doubt; `moved`: whether it has moved."""
    if f"may have been moved to {version}: a retry looks" in said:
        return "not moved" not in said
    return "was not moved by this try" in said and not moved
