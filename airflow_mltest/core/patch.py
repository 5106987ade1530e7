"""Which lines of each file are new, read from a patch."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def new_lines(patch: bytes) -> Iterator[tuple[str, set[int]]]:
    """
    Read a patch in git's format: each file's name, and the numbers of its new lines, from 1.

    Args:
        patch: As `git diff --unified=0 --src-prefix=a/ --dst-prefix=b/` prints it. A binary file
            has no lines, and does not appear.
    """
    name, found = "", set[int]()
    lines = iter(patch.split(b"\n"))
    for line in lines:
        hunk = re.match(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", line)
        if hunk:
            lost, start, new = (int(text or 1) for text in hunk.groups())
            found.update(range(start, start + new))
            for _ in range(lost + new):  # what a line says may look like a header
                next(lines)
        elif line.startswith(b"+++ "):
            if name:
                yield name, found
            name, found = _unquoted(line[4:]).removeprefix("b/"), set()
    if name:
        yield name, found


def _unquoted(name: bytes) -> str:
    """Undo how a patch's header spells names that have quotes, tabs or line ends in them."""
    name = name.removesuffix(b"\t")  # comes after names with spaces
    if not name.startswith(b'"'):
        return os.fsdecode(name)

    def plain(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8)]) if code.isdigit() else _LETTERS.get(code, code)

    return os.fsdecode(re.sub(rb"\\([0-7]{3}|.)", plain, name[1:-1], flags=re.DOTALL))
