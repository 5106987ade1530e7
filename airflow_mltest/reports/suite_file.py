"""A learned suite of expectations as a file that diffs well, and that no one's edits are lost in."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_OURS = "mltest"
_INSTEAD = ", and is not overwritten: write to another file (--out) and compare the two, or delete it."


def write_suite(file: Path, expectations: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> None:
    """
    Write *expectations*, in their order and a value a line, in the place of those that were learned before.

    Args:
        file: Where to; its folder is made.
        expectations: Objects with `type` and `kwargs`.
        facts: What they were learned from; the same data gives the same file.

    Raises:
        ConfigurationError: The file that is there was edited, or was not written by this function.
    """
    _require_unedited(file)
    document: dict[str, Any] = {"expectations": list(expectations), "meta": {_OURS: dict(facts)}}
    document["meta"][_OURS]["digest"] = _digest(document)
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f"{file.name}.{uuid.uuid4().hex}.part")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def _require_unedited(file: Path) -> None:
    if not file.exists():
        return
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        facts = document["meta"][_OURS]
        edited = facts.pop("digest") != _digest(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{file} is no suite that was learned"
        raise ConfigurationError(msg + _INSTEAD) from error
    if edited:
        msg = f"{file} was edited since it was learned"
        raise ConfigurationError(msg + _INSTEAD)


def _digest(document: Mapping[str, Any]) -> str:
    """Give `sha256:` of all that a suite says, but for its digest and its layout."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
