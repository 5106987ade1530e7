"""What lies behind an entry of the index: a whole suite, or those of its cases that are looked at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.outcome import Suite
from airflow_mltest.reports.document import suite_from_document
from airflow_mltest.reports.files import read_whole

if TYPE_CHECKING:
    from airflow_mltest.core.outcome import Origin
    from airflow_mltest.reports.store import Store

_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """
    Which cases of a suite are looked at.

    Args:
        outcome: Those that ended so; empty: all.
        text: Those whose names have it, in any case.
        page: Of these, which hundred; the first is 1.
    """

    outcome: str = ""
    text: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """
    A suite as far as it was opened.

    Args:
        suite: With the cases that are looked at; one that cannot be read is broken, and says why.
        found: How many cases the look finds, on all pages.
        pages: How many pages these are.
    """

    suite: Suite
    found: int
    pages: int


def open_suite(store: Store, origin: Origin, kind: str, look: Look | None = None) -> Opened:
    """
    Read the suite of one try.

    Args:
        store: Where it is kept.
        origin: The try.
        kind: Its kind as the index has it, should the report be gone.
        look: Which of its cases to read; None: all. Of a long suite a hundred are made in a third of the time.
    """
    try:
        document = json.loads(read_whole(store.place(origin) / f"{origin.try_number}.json"))
        chosen = document["cases"] if look is None else [case for case in document["cases"] if _wanted(case, look)]
        cases = chosen if look is None else chosen[(look.page - 1) * _PAGE : look.page * _PAGE]
        suite = suite_from_document({**document, "cases": cases})
    except Exception as error:  # noqa: BLE001  an object store's own, JSON's, ours: the reader sees which
        gone = Suite(name=origin.task_id, kind=kind, origin=origin, incomplete=f"unreadable: {error}")  # type: ignore[arg-type]  # as it was kept
        return Opened(suite=gone, found=0, pages=1)
    return Opened(suite=suite, found=len(chosen), pages=max(1, -(-len(chosen) // _PAGE)))


def _wanted(case: dict[str, Any], look: Look) -> bool:
    return look.outcome in {"", case["outcome"]} and look.text.casefold() in case["name"].casefold()
