"""The machine, the image and the software that production runs on, as one value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.pod_fields import image_of, labels_of, service_account_of, tolerations_of, variables_of
from airflow_mltest.core.quantities import cpus_of, gib_of

_PYTHON = re.compile(r"\d+\.\d+(\.\d+)?")
_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """
    What a place to run in has to have; what is not named is not asked for.

    `airflow_mltest.placement.Environment` says what each field is, and also reads files.

    Raises:
        ConfigurationError: A field cannot be; names every one that cannot.
    """

    cpus: float | None = None
    memory_gib: float | None = None
    gpus: int = 0
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    queue: str | None = None
    image: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    service_account: str = ""

    def __post_init__(self) -> None:
        mistakes = []
        for name, read in _READ.items():
            try:
                object.__setattr__(self, name, read(getattr(self, name)))
            except (TypeError, ValueError) as error:
                mistakes.append(f"{name}: {error}")
        if not mistakes and self.gpus and not (self.queue or self.image or self.node_selector):
            mistakes.append(
                "gpus: nothing says where they are: name a queue for Celery, or an image or a node_selector"
            )
        if mistakes:
            msg = "the environment cannot be: " + "; ".join(mistakes)
            raise ConfigurationError(msg)

    def asked(self) -> dict[str, Any]:
        """Give what was asked for, by field, as strict JSON; of variables the names only."""
        found = {name: getattr(self, name) for name in FIELDS if getattr(self, name)}
        shown = {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}
        return shown | ({"env": sorted(self.env)} if self.env else {})


def _optional(read: Callable[[object], float]) -> Callable[[object], float | None]:
    return lambda value: None if value is None else read(value)


def _gpus(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        msg = f"it is a whole number from 0, not {value!r}"
        raise ValueError(msg)
    return value


def _python(value: object) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _PYTHON.fullmatch(value):
        msg = f"it is a text such as '3.11' or '3.11.7' (in quotes: 3.10 without is the number 3.1), not {value!r}"
        raise ValueError(msg)
    return value


def _packages(value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        pins = dict(value)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        pins = {name.strip(): version.strip() for name, _, version in (str(line).partition("==") for line in value)}
    else:
        msg = f"it is a mapping of names and versions, or a list of 'name==version', not {value!r}"
        raise TypeError(msg)
    for name, version in pins.items():
        if not isinstance(version, str) or not version or not _DISTRIBUTION.fullmatch(str(name)):
            msg = f"{name!r} needs one version, in quotes: 'pandas==2.2.3', or pandas: '2.2.3'"
            raise ValueError(msg)
    return pins


def _queue(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.strip() or "," in value):
        msg = f"it is the name of one queue, not {value!r}"
        raise ValueError(msg)
    return value


_READ: dict[str, Callable[[Any], Any]] = {
    "cpus": _optional(cpus_of),
    "memory_gib": _optional(gib_of),
    "gpus": _gpus,
    "python": _python,
    "packages": _packages,
    "queue": _queue,
    "image": image_of,
    "node_selector": labels_of,
    "tolerations": tolerations_of,
    "env": variables_of,
    "service_account": service_account_of,
}
FIELDS = tuple(one.name for one in fields(Profile))
