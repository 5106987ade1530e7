"""fsspec: the files that a table lies in: which they are, of what kind, and their digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, MltestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import IO

KINDS = ("parquet", "csv")
BYTES_A_VALUE = 8
_BYTES_A_BATCH = 32 * 2**20
_FEWEST_ROWS = 10_000
_MAGIC = ("*", "?")


class Readable(Protocol):
    """A path: `pathlib`'s, or one of object storage."""

    @property
    def name(self) -> str:
        """Its last part."""

    @property
    def parent(self) -> Any:
        """What it lies in."""

    def exists(self) -> bool:
        """Say whether there is something at the path."""

    def is_dir(self) -> bool:
        """Say whether a folder is there."""

    def glob(self, pattern: str) -> Iterable[Any]:
        """Give what matches below it."""

    def open(self, mode: str) -> IO[bytes]:
        """Open what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFiles:
    """
    One table in one file or many, all of one kind.

    Args:
        paths: Where they are, in order; never empty.
        name: What to call them in reports and errors.
        kind: One of `KINDS`.
    """

    paths: Sequence[Readable]
    name: str
    kind: str

    def digest(self) -> str:
        """Give `sha256:` of the file's bytes; of many files, of their digests and names."""
        digests = [_digest(path) for path in self.paths]
        if len(digests) == 1:
            return f"sha256:{digests[0]}"
        lines = "".join(f"{digest}  {path.name}\n" for digest, path in zip(digests, self.paths, strict=True))
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def table_files(source: Readable | Sequence[Readable]) -> TableFiles:
    """
    Find the files of *source*: a path, a pattern (`s3://sales/*/*.parquet`), a folder, or several of them.

    Raises:
        ConfigurationError: They are not all Parquet, or all CSV, or nothing here can read such storage.
        BrokenRunError: There is nothing at one of the paths, or storage refuses: a retry may help.
    """
    sources: list[Any] = list(source) if isinstance(source, (list, tuple)) else [source]
    if not sources:
        msg = "`data` is an empty list of files: a test of nothing would pass for no reason."
        raise ConfigurationError(msg)
    paths = [path for one in sources for path in _reach(one)]
    name = str(sources[0]) + (f" and {len(sources) - 1} more" if len(sources) > 1 else "")
    kinds = {_kind(path) for path in paths}
    if len(kinds) > 1:
        msg = f"{name!r} is of {' and '.join(sorted(kinds))} files: name files of one kind."
        raise ConfigurationError(msg)
    return TableFiles(paths=paths, name=name, kind=kinds.pop())


def rows_a_batch(bytes_a_row: float) -> int:
    """Tell how many rows are about 32 MiB; never so few that asking them takes longer than reading them."""
    return max(_FEWEST_ROWS, int(_BYTES_A_BATCH / max(1, bytes_a_row)))


def _reach(source: Readable) -> list[Readable]:
    try:
        # The client of an object store remembers what it listed, without what others wrote since.
        client = _client(source)
        if client is not None:
            client.invalidate_cache()
        return _find(source)
    except MltestError:
        raise
    except Exception as error:  # an object store raises its client's own
        msg = (
            f"{str(source)!r} cannot be reached: {type(error).__name__}: {error}. Check the connection that it names, "
            "and that its credentials may list and read there."
        )
        raise BrokenRunError(msg) from error


def _client(source: Readable) -> Any:
    try:
        return getattr(source, "fs", None)
    except (ImportError, ValueError) as error:  # none is installed, or Airflow knows none
        msg = f"there is no client here for {str(source)!r}: {error}. Install the Airflow provider of that storage."
        raise ConfigurationError(msg) from error


def _find(source: Readable) -> list[Readable]:
    root: Any = source
    pattern: list[str] = []
    while any(sign in str(root) for sign in _MAGIC):
        pattern.insert(0, root.name)
        root = root.parent
    if pattern:
        found = sorted(root.glob("/".join(pattern)), key=str)
    elif not source.exists():
        found = []
        if "." in source.name:
            _kind(source)
    elif source.is_dir():
        found = sorted((path for kind in KINDS for path in source.glob(f"**/*.{kind}")), key=str)
    else:
        found = [source]
    if not found:
        msg = f"there is nothing at {str(source)!r}: check the path, and that the task which writes it ran before."
        raise BrokenRunError(msg)
    return found


def _kind(path: Readable) -> str:
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if kind not in KINDS:
        msg = f"cannot tell what {str(path)!r} holds: name a .parquet or .csv file, or pass a callable."
        raise ConfigurationError(msg)
    return kind


def _digest(path: Readable) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # IO[bytes] has what it needs
