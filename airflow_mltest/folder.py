"""What lies in a folder: every file, its lines and its content, and what has changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def files_below(root: Path) -> Iterator[str]:
    """List every file by its POSIX path below *root*, but git's and Python's own."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in {".git", "__pycache__"}]
        for name in names:
            yield Path(folder, name).relative_to(root).as_posix()


def is_file(path: Path) -> bool:
    """Tell files, links to anything among them, from folders and from nothing."""
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def content_digest(path: Path) -> bytes:
    """Hash what is there: its kind, whether it can be executed, and its content."""
    if path.is_symlink():
        return b"link " + hashlib.sha256(os.fsencode(path.readlink())).digest()
    if not path.is_file():
        return b"none"
    kind = b"program " if os.access(path, os.X_OK) else b"file "
    with path.open("rb") as file:
        return kind + hashlib.file_digest(file, "sha256").digest()


def line_count(path: Path) -> int:
    """Count lines; a link, and what is not text, has none."""
    if path.is_symlink() or not path.is_file():
        return 0
    content = path.read_bytes()
    return 0 if b"\0" in content[:8000] else content.count(b"\n") + (content[-1:] not in {b"\n", b""})


def marks(root: Path) -> dict[str, list[int]]:
    """
    Mark everything below *root*, its `.git` aside, so that any later change can be seen.

    The kernel moves a file's change time with each write and each change of mode, owner or links,
    and nobody can set it: what has the same marks has the same content.
    """
    found = {"": [os.lstat(root).st_mode]}
    folders = [""]
    while folders:
        for path, entry in _entries(root, folders.pop()):
            found[path] = _mark(entry)
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{path}/")
    return found


def put_back(root: Path, marked: Mapping[str, list[int]]) -> bool:
    """Remove what is not as it was *marked*, and give folders their modes again; say whether nothing had changed."""
    changed = os.lstat(root).st_mode != marked[""][0]
    Path(root).chmod(stat.S_IMODE(marked[""][0]))
    seen, folders = {""}, [""]
    while folders:
        for path, entry in _entries(root, folders.pop()):
            seen.add(path)
            mark, known = _mark(entry), marked.get(path)
            if mark != known:
                changed = True
                if not known or not stat.S_ISDIR(mark[0]) or not stat.S_ISDIR(known[0]):
                    remove(Path(entry.path))
                    continue
                Path(entry.path).chmod(stat.S_IMODE(known[0]))
            if stat.S_ISDIR(mark[0]):
                folders.append(f"{path}/")
    return not changed and seen == marked.keys()


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, whatever modes it was given; what is not there is fine."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder, _, _ in os.walk(path):
            with suppress(OSError):
                Path(folder).chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)


def _entries(root: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(f"{root}/{prefix}") as entries:
        for entry in list(entries):
            if prefix or entry.name != ".git":
                yield prefix + entry.name, entry


def _mark(entry: os.DirEntry[str]) -> list[int]:
    """Give what changes with a file; of a folder only its mode, since its own times change with what is in it."""
    found = entry.stat(follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        return [found.st_mode]
    return [found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
