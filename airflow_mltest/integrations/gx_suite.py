"""Great Expectations: what the user wrote, as expectations; nothing that is misspelt is dropped."""

from __future__ import annotations

import difflib
import json
import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.extras import extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


def import_gx() -> Any:
    """Import Great Expectations, silently."""
    # Two hundred lines of "registering function" would fill the task's log at the import.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    # Releases before 1.10 sent usage statistics.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with extra("data", provides="great_expectations"):
        import great_expectations as gx
    return gx


def read_expectations(source: str | Sequence[Mapping[str, Any]] | Callable[[], Any]) -> list[Any]:
    """
    Turn what the user wrote into Great Expectations' own objects, in order.

    Great Expectations drops an expectation that it does not know, with a line in the log; here it
    is an error, since a suite with fewer questions passes more.

    Args:
        source: A list of dicts, each with `type` and `kwargs`; the path of a JSON or YAML file of
            one; `folder#suite`, a suite of the file context in *folder* (`gx`, or the folder it
            lies in); or a callable that returns an `ExpectationSuite` or a list.

    Raises:
        ConfigurationError: The file cannot be read, or an expectation does not exist or has a
            wrong argument; the message names it, and the nearest right name.
        BrokenRunError: The callable raised.
    """
    if isinstance(source, str):
        source = _read_file(_file_of(source))
    elif callable(source):
        source = _call(source)
    if not isinstance(source, (list, tuple)) or not all(
        isinstance(item, dict) or hasattr(item, "configuration") for item in source
    ):
        msg = "expectations must be a list of objects, each with `type` and `kwargs`."
        raise ConfigurationError(msg)
    return [_expectation(place, item) for place, item in enumerate(source)]


def _call(factory: Callable[[], Any]) -> Any:
    import_gx()
    name = getattr(factory, "__qualname__", repr(factory))
    with _dropped() as dropped:
        try:
            found = factory()
        except Exception as error:
            msg = f"the suite factory {name!r} raised {type(error).__name__}: {error}"
            raise BrokenRunError(msg) from error
    if dropped:
        msg = f"Great Expectations dropped an expectation of the suite from {name!r}: {'; '.join(dropped)}"
        raise ConfigurationError(msg)
    return getattr(found, "expectations", found)


@contextmanager
def _dropped() -> Iterator[list[str]]:
    """Collect what a suite's constructor only logs: that it leaves an expectation out."""
    found: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    logger, listener = logging.getLogger("great_expectations.core.expectation_suite"), Listener(logging.ERROR)
    logger.addHandler(listener)
    try:
        yield found
    finally:
        logger.removeHandler(listener)


def _file_of(source: str) -> Path:
    folder, marked, suite = source.rpartition("#")
    if not marked:
        return Path(source)
    # The context itself stays closed: opening it writes files, and drops what it does not know.
    context = Path(folder, "gx") if Path(folder, "gx").is_dir() else Path(folder)
    suites = context / "expectations"
    file = suites / f"{suite}.json"
    if file.is_file():
        return file
    there = sorted(path.relative_to(suites).with_suffix("").as_posix() for path in suites.rglob("*.json"))
    near = difflib.get_close_matches(suite, there, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else f" It has {', '.join(there) or 'none'}."
    msg = f"the Great Expectations context in {folder!r} has no suite {suite!r}.{hint}"
    raise ConfigurationError(msg)


def _read_file(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        content = _from_yaml(text) if path.suffix in {".yaml", ".yml"} else json.loads(text)
    except Exception as error:  # what a YAML parser raises is its own
        msg = f"expectations file {str(path)!r} cannot be read: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from error
    # A suite that Great Expectations itself has saved keeps its list under this key.
    found = content["expectations"] if isinstance(content, dict) and "expectations" in content else content
    if not isinstance(found, list):
        msg = f"expectations file {str(path)!r} must be a list of objects, each with `type` and `kwargs`."
        raise ConfigurationError(msg)
    return found


def _from_yaml(text: str) -> Any:
    with extra("data", provides="ruamel"):
        from ruamel.yaml import YAML  # Great Expectations' own
    return YAML(typ="safe").load(text)


def _expectation(place: int, item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    import_gx()
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    if (item.get("kwargs") or {}).get("condition_parser") == "pandas":
        msg = f"expectation {place + 1} has a row condition for pandas, which can run any code: use a typed condition."
        raise ConfigurationError(msg)
    try:
        return ExpectationConfiguration(**item).to_domain_obj()
    except Exception as error:
        msg = (
            f"expectation {place + 1}, {item.get('type', 'without a type')!r} with {item.get('kwargs')}, is no "
            f"question for Great Expectations: {type(error).__name__}: {error}{_nearest(item, error)}"
        )
        raise ConfigurationError(msg) from error


def _nearest(item: Mapping[str, Any], error: Exception) -> str:
    """Guess what was meant: the type, a key beside it, or one of its arguments."""
    import re

    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    known = list_registered_expectation_implementations()
    wanted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(item.get("type", ""))).lower()
    if item.get("type") not in known:
        return _did_you_mean([(wanted, known)])
    keys = ("type", "kwargs", "meta", "severity", "description", "notes", "rendered_content", "id")
    if isinstance(error, TypeError):
        return _did_you_mean([(key, keys) for key in item if key not in keys])
    arguments = list(get_expectation_impl(item["type"]).__fields__)
    extras = [key for key in item.get("kwargs") or {} if key not in arguments]
    return _did_you_mean([(key, arguments) for key in extras])


def _did_you_mean(misspelt: Sequence[tuple[str, Sequence[str]]]) -> str:
    near = [match for name, known in misspelt for match in difflib.get_close_matches(name, known, n=1)]
    return f" Did you mean {', '.join(map(repr, near))}?" if near else ""
