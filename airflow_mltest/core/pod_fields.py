"""What Kubernetes takes as an image, a label, a toleration, a name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_mltest.core.spelling import near

GPU = "nvidia.com/gpu"
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9._/-]*|[\w.-]+(:\d+)?/[a-z0-9._/-]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_TOLERATION = ("key", "operator", "value", "effect", "tolerationSeconds")
_OPERATORS = ("Equal", "Exists")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def image_of(value: object) -> str:
    """
    Read an image; empty: none.

    Raises:
        TypeError: It is no text.
        ValueError: It is no image, or its name does not say which one, today and tomorrow.
    """
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        msg = f"it is a text such as 'registry.example.com/worker:1.4', not {value!r}"
        raise TypeError(msg)
    name, at, digest = value.partition("@")
    # A colon before the last slash is that of a registry's port.
    folder, slash, last = name.rpartition("/")
    repository, colon, tag = last.partition(":")
    rules = (
        (not _REPOSITORY.fullmatch(folder + slash + repository), "is no name of an image"),
        (not colon and not at, f"has neither a tag nor a digest: say which one, such as '{value}:1.4'"),
        (tag == "latest" and not at, "is another image tomorrow: give a tag that stays, or a digest"),
        (colon and not _TAG.fullmatch(tag), f"has the tag {tag!r}, which is none"),
        (at and not _DIGEST.fullmatch(digest), "has no digest of 'sha256:' and 64 hexadecimal digits after the '@'"),
    )
    for broken, words in rules:
        if broken:
            msg = f"{value!r} {words}"
            raise ValueError(msg)
    return value


def labels_of(value: object) -> dict[str, str]:
    """
    Read labels, such as those that a node has to have.

    Raises:
        TypeError: It is no mapping.
        ValueError: A key or a value is none that Kubernetes takes.
    """
    for key, one in _mapping(value).items():
        prefix, slash, name = key.rpartition("/")
        if not _NAME.fullmatch(name) or (slash and not _DOMAIN.fullmatch(prefix)):
            msg = f"{key!r} is no key of a label: at most 63 letters, digits, '-', '_' and '.', after a domain and '/'"
            raise ValueError(msg)
        if one and not _NAME.fullmatch(one):
            msg = f"{key!r} cannot be {one!r}: a label has at most 63 letters, digits, '-', '_' and '.'"
            raise ValueError(msg)
    return _mapping(value)


def variables_of(value: object) -> dict[str, str]:
    """
    Read environment variables.

    Raises:
        TypeError: It is no mapping.
        ValueError: A name is none; the words never show a value, which may be a secret.
    """
    found = _mapping(value)
    wrong = [name for name in found if not _VARIABLE.fullmatch(name)]
    if wrong:
        msg = f"{wrong[0]!r} is no name of an environment variable"
        raise ValueError(msg)
    return found


def tolerations_of(value: object) -> tuple[dict[str, Any], ...]:
    """
    Read tolerations, each a mapping as in a manifest.

    Raises:
        TypeError: It is no list.
        ValueError: One is none that Kubernetes takes.
    """
    if isinstance(value, Mapping | str) or not isinstance(value, Sequence):
        msg = f"it is a list of mappings of {', '.join(_TOLERATION)}, not {value!r}"
        raise TypeError(msg)
    for number, one in enumerate(value, start=1):
        wrong = _wrong_toleration(one)
        if wrong:
            msg = f"number {number}: {wrong}"
            raise ValueError(msg)
    return tuple(dict(one) for one in value)


def service_account_of(value: object) -> str:
    """
    Read the name of a service account; empty: the pod template's.

    Raises:
        ValueError: It is no name.
    """
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _DOMAIN.fullmatch(value):
        msg = f"it has lower case letters, digits, '-' and '.', unlike {value!r}"
        raise ValueError(msg)
    return value


def _wrong_toleration(one: object) -> str:
    if not isinstance(one, Mapping):
        return f"it is a mapping of {', '.join(_TOLERATION)}, not {one!r}"
    unknown = [key for key in one if key not in _TOLERATION]
    if unknown:
        return f"there is no {unknown[0]!r} in a toleration{near(unknown[0], _TOLERATION)}"
    operator, effect = one.get("operator", "Equal"), one.get("effect", "")
    rules = (
        (operator not in _OPERATORS, f"operator is 'Equal' or 'Exists', not {operator!r}"),
        (effect and effect not in _EFFECTS, f"effect is one of {', '.join(_EFFECTS)}, not {effect!r}"),
        (operator == "Exists" and one.get("value"), "with operator 'Exists' there is no value"),
        (operator == "Equal" and not one.get("key"), "without a key the operator is 'Exists'"),
        ("tolerationSeconds" in one and effect != "NoExecute", "tolerationSeconds goes with effect 'NoExecute'"),
    )
    return next((words for broken, words in rules if broken), "")


def _mapping(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        msg = f"it is a mapping of names and texts, not a {type(value).__name__}"
        raise TypeError(msg)
    wrong = [name for name, one in value.items() if not isinstance(name, str) or not isinstance(one, str)]
    if wrong:
        kind = type(value[wrong[0]]).__name__
        msg = f"{wrong[0]!r} is a text, not {kind}: put it in quotes"
        raise ValueError(msg)
    return dict(value)
