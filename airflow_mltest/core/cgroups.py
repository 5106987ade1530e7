"""What the kernel lets this process have, by control groups of version 1 and 2, and whom it has ended over that."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Version 1 says "no limit" as the largest number of whole pages.
_NO_LIMIT = 2**62
_MIB = 2**20
_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_ESCAPED = re.compile(r"\\(\d{3})")


def cpu_quota(root: Path = Path("/")) -> float | None:
    """
    Give how many CPUs' time this process may use, as the tightest group above it says; None: no limit.

    Args:
        root: Where the file system begins.
    """
    found = []
    for folder in _folders("cpu", root):
        quota, period = [*(_read(folder / "cpu.max") or "").split(), "", ""][:2]
        if not quota:
            quota, period = _read(folder / "cpu.cfs_quota_us") or "", _read(folder / "cpu.cfs_period_us") or ""
        # Version 2 writes "max" where there is no limit, and version 1 writes -1.
        if quota.isdigit() and period.isdigit() and int(period):
            found.append(int(quota) / int(period))
    return min(found, default=None)


def memory_limit(root: Path = Path("/")) -> int | None:
    """
    Give how many bytes this process may use with all others of its group, as the tightest says; None: no limit.

    Args:
        root: Where the file system begins.
    """
    found = []
    for folder in _folders("memory", root):
        text = _read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes") or ""
        if text.isdigit() and int(text) < _NO_LIMIT:
            found.append(int(text))
    return min(found, default=None)


def oom_kills(root: Path = Path("/")) -> int | None:
    """
    Count the processes of this one's group that the kernel has killed for memory; None: it does not say.

    Args:
        root: Where the file system begins.
    """
    own = next(_folders("memory", root), None)
    if own is None:
        return None
    told = f"{_read(own / 'memory.events') or ''}\n{_read(own / 'memory.oom_control') or ''}"
    found = _KILLS.search(told)
    return int(found[1]) if found else None


def out_of_memory(before: int | None, root: Path = Path("/")) -> str:
    """
    Say in words that the kernel has killed for memory; empty: it has not, or does not say.

    Args:
        before: What `oom_kills` said at the beginning.
        root: Where the file system begins.
    """
    kills, limit = oom_kills(root), memory_limit(root)
    if before is None or kills is None or kills <= before:
        return ""
    many = "a process" if kills == before + 1 else f"{kills - before} processes"
    has = "has no limit" if limit is None else f"has a limit of {limit / _MIB:.0f} MiB"
    return f"out of memory: the control group {has}, and the kernel killed {many} of it"


def _folders(controller: str, root: Path) -> Iterator[Path]:
    """Walk the groups of this process from its own to the highest that is mounted."""
    mounts = _mounts(root)
    kind = controller if controller in mounts else ""
    if kind not in mounts:
        return
    shown, mounted_at = mounts[kind]
    inside = _inside(_groups(root).get(kind, PurePosixPath("/")), shown)
    top = root / mounted_at.relative_to("/")
    # A container may see its group's files without the path that leads to them.
    inside = inside if (top / inside).is_dir() else PurePosixPath()
    yield top / inside
    for parent in inside.parents if inside.parts else ():
        yield top / parent


def _inside(group: PurePosixPath, shown: PurePosixPath) -> PurePosixPath:
    """Give a group's path within what is mounted; a mount may show only the part of the tree below *shown*."""
    if group.is_relative_to(shown) and ".." not in group.parts:
        return group.relative_to(shown)
    return PurePosixPath()


def _groups(root: Path) -> dict[str, PurePosixPath]:
    """Read in which group this process is, by controller; version 2 has one for all, under an empty name."""
    found = {}
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), PurePosixPath(path)))
    return found


def _mounts(root: Path) -> dict[str, tuple[PurePosixPath, PurePosixPath]]:
    """Read which part of the tree is mounted where, by controller; of several mounts the last covers the others."""
    found = {}
    for line in (_read(root / "proc/self/mountinfo") or "").splitlines():
        mount, _, kind = line.partition(" - ")
        shown, mounted_at = (PurePosixPath(_unescaped(path)) for path in mount.split()[3:5])
        filesystem, _, options = kind.split(" ", 2)
        names = {"cgroup2": [""], "cgroup": options.split(" ")[-1].split(",")}.get(filesystem, [])
        found.update(dict.fromkeys(names, (shown, mounted_at)))
    return found


def _unescaped(path: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), path)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
