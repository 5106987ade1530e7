"""How a model is deployed, as its file says, and every mistake in that, found before anything starts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.spelling import near

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PLACEHOLDERS = ("{host}", "{port}", "{model}")
# A shorter text is no secret, and would be hidden in every second word.
_SECRET = 4
_ALONE_WITH_COMMAND = ("python", "workers", "env_manager")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """
    What a model's server is started with.

    Args:
        model: URI of the model that is deployed; empty: whichever is tested.
        python: Interpreter that has the model's libraries; empty: this one.
        workers: Processes that answer.
        env: All environment variables that it has, but for PATH and the like; values are secrets.
        memory_gib: What all its processes may take together, in GiB (2**30 bytes); None: any.
        command: The user's own start command with `{host}`, `{port}` and `{model}`; empty: MLflow's server.
        health: Path that answers 200 once it is ready.
        invocations: Path that answers rows.
        packages: Versions in the image by package, as far as they are pinned.
        python_version: Of the image; empty: not told.
    """

    model: str = ""
    python: str = ""
    workers: int = 1
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    memory_gib: float | None = None
    command: tuple[str, ...] = ()
    health: str = "/ping"
    invocations: str = "/invocations"
    packages: Mapping[str, str] = field(default_factory=dict)
    python_version: str = ""

    @property
    def shown(self) -> dict[str, Any]:
        """What a report may say of it: of variables and of the command, the names only."""
        found: dict[str, Any] = {"workers": self.workers, "env": sorted(self.env)}
        more = {"python": self.python, "memory_gib": self.memory_gib, "command": next(iter(self.command), "")}
        return found | {key: value for key, value in more.items() if value}

    def hidden(self, text: str) -> str:
        """Leave the values of the variables out of a text; each may be a secret."""
        for value in sorted(self.env.values(), key=len, reverse=True):
            text = text.replace(value, "***") if len(value) >= _SECRET else text
        return text


def deployment_of(said: Any) -> tuple[Deployment, list[str]]:
    """
    Read what a deployment file says.

    Args:
        said: The file's content as YAML or JSON has it: a mapping, if it is right.

    Returns:
        The deployment, without what is wrong; and each mistake, which begins with the field's name and
        never shows the value of a variable.
    """
    if not isinstance(said, dict):
        return Deployment(), [f"it is {_kind(said)}, not a mapping of {', '.join(_FIELDS)}"]
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    for key, value in said.items():
        if key not in _FIELDS:
            mistakes.append(f"{key}: there is no such key{near(key, _FIELDS)}")
            continue
        try:
            values[key] = _FIELDS[key](value)
        except _MistakeError as error:
            mistakes.append(f"{key}: {error}")
    mistakes += _contradictions(said)
    values.pop("env_manager", None)
    return Deployment(**values), mistakes


class _MistakeError(Exception):
    """A value that cannot be."""


def _contradictions(said: Mapping[str, Any]) -> list[str]:
    if not said.get("command"):
        return []
    return [f"{key}: `command` starts the server, so say it there" for key in _ALONE_WITH_COMMAND if key in said]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        msg = f"it is a text, not {_kind(value)}"
        raise _MistakeError(msg)
    return value


def _path(value: Any) -> str:
    if not _text(value).startswith("/"):
        msg = f"it is a path of the server that begins with '/', not {value!r}"
        raise _MistakeError(msg)
    return str(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        msg = f"it is a whole number from 1, not {_shown(value)}"
        raise _MistakeError(msg)
    return value


def _gib(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        msg = f"it is a number of GiB above 0, not {_shown(value)}"
        raise _MistakeError(msg)
    return float(value)


def _variables(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        msg = f"it is a mapping of names and texts, not {_kind(value)}"
        raise _MistakeError(msg)
    wrong = [f"{key} is {_kind(one)}" for key, one in value.items() if not _is_scalar(one) or not isinstance(key, str)]
    if wrong:
        msg = f"each is a text (put it in quotes) or a number: {', '.join(wrong)}"
        raise _MistakeError(msg)
    return {key: str(one) for key, one in value.items()}


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(_is_scalar(word) for word in value):
        msg = f"it is a list of words, such as [./serve.sh, --port, '{{port}}'], not {_kind(value)}"
        raise _MistakeError(msg)
    words = tuple(map(str, value))
    if not any("{port}" in word for word in words):
        given = [found for word in words for found in re.findall(r"\{\w+\}", word) if found not in PLACEHOLDERS]
        hint = f": {given[0]} is none of {', '.join(PLACEHOLDERS)}{near(given[0], PLACEHOLDERS)}" if given else ""
        msg = f"it needs the placeholder {{port}}, since each test has a port of its own{hint}"
        raise _MistakeError(msg)
    return words


def _pins(value: Any) -> dict[str, str]:
    """Read `{name: version}`, or a list of `name==version`."""
    if isinstance(value, dict):
        pairs = [(str(name), str(version)) for name, version in value.items()]
        wrong = [f"{name} is {_kind(version)}" for name, version in value.items() if not isinstance(version, str)]
    elif isinstance(value, list):
        split = [str(line).partition("==") for line in value]
        pairs = [(name.partition("[")[0].strip(), version.strip()) for name, _, version in split]
        wrong = [repr(line) for line, (_, version) in zip(value, pairs, strict=True) if not version]
    else:
        wrong, pairs = [_kind(value)], []
    if wrong:
        msg = f"it is a mapping of names and versions in quotes, or a list of 'name==version': {', '.join(wrong)}"
        raise _MistakeError(msg)
    return dict(pairs)


def _version(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d+\.\d+(\.\d+)?", value):
        msg = f"it is a text such as '3.11' (in quotes, since 3.10 without is the number 3.1), not {_shown(value)}"
        raise _MistakeError(msg)
    return value


def _local(value: Any) -> str:
    if value != "local":
        msg = (
            f"{_shown(value)} is not supported: make the environment, such as with `mlflow models` or a requirements "
            "file, and name its interpreter in `python`"
        )
        raise _MistakeError(msg)
    return str(value)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return repr(value) if _is_scalar(value) or isinstance(value, bool) else _kind(value)


def _kind(value: Any) -> str:
    """Name what a value is, and not the value, which may be a secret."""
    kinds = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "empty"}
    return "empty" if value == "" else kinds.get(type(value), f"a {type(value).__name__}")


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "model": _text,
    "python": _text,
    "env_manager": _local,
    "workers": _count,
    "env": _variables,
    "memory_gib": _gib,
    "command": _words,
    "health": _path,
    "invocations": _path,
    "packages": _pins,
    "python_version": _version,
}
