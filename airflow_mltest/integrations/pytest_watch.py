"""Inside the tested interpreter: which files are read, which folders listed, which processes started."""

# Copied into the tested interpreter, as `mltest_watch`, which may be Python 3.9.
from __future__ import annotations

import os
import struct
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

# Folders below the root that are not the project's.
_FOREIGN = {"site-packages", "dist-packages", "__pycache__", ".git", ".hg", ".tox", ".nox", ".eggs", "node_modules"}
# They are read by pytest itself, at the start of each process.
_CONFIGURATION = {"pyproject.toml", "pytest.ini", ".pytest.ini", "setup.cfg", "tox.ini"}
_IN_OPEN, _IN_ISDIR = 0x20, 0x40000000
_MOST_FOLDERS = 5000
_IMPORTLIB = "<frozen importlib"
# Modules that open what another asks for, and those that ask only to show it.
_OPENERS = {"ast", "codecs", "genericpath", "glob", "inspect", "io", "linecache", "os", "pathlib", "posixpath"}
_OPENERS |= {"shutil", "tempfile", "tokenize"}
_SHOWING = {"_pytest", "traceback", "warnings"}
# They look for installed packages in each folder of the path.
_METADATA = ("importlib.metadata", "importlib_metadata", "pkg_resources")
# Programs that only tell about the machine.
_HARMLESS = {"ldconfig", "lscpu", "nvidia-smi", "sysctl", "uname"}
_PROCESSES = {
    "subprocess.Popen": "starts a process",
    "os.system": "starts a process",
    "os.posix_spawn": "starts a process",
    "os.exec": "becomes another process",
    "os.fork": "forks",
    "os.forkpty": "forks",
    "cpython.PyInterpreterState_New": "starts an interpreter",
}


class Scope:
    """
    Which paths are the project's: those below *root*, without installed packages.

    Args:
        root: An absolute path.
    """

    def __init__(self, root: str) -> None:
        self._roots = tuple(dict.fromkeys(path.rstrip("/") + "/" for path in (root, os.path.realpath(root))))
        prefixes = {sys.prefix, os.path.realpath(sys.prefix)}
        self._foreign = tuple(f"{path}/" for path in prefixes if path.startswith(self._roots))
        self._known: dict[str, tuple[str, ...]] = {}
        self._system = (os.getcwd, os.path.realpath, os.readlink)

    def below(self, path: Any) -> tuple[str, ...]:
        """Give *path* relative to the root, then where a symbolic link leads; empty where it is not the project's."""
        getting, resolving, reading = self._system
        path = reading(f"/proc/self/fd/{path}") if isinstance(path, int) else os.fsdecode(path or ".")
        if not path.startswith("/"):
            path = f"{getting()}/{path}"
        if not f"{path}/".startswith(self._roots):
            return ()
        if path not in self._known:
            forms = (self._relative(os.path.normpath(path)), self._relative(resolving(path)))
            self._known[path] = tuple(dict.fromkeys(form for form in forms if form))
        return self._known[path]

    def module(self, path: Any) -> str:
        """Give the file that holds a module's text, relative to the root; empty where it is not the project's."""
        named = isinstance(path, str) and not path.startswith("<")
        return (self.below(path) or ("",))[-1] if named else ""

    def folders(self) -> Iterator[tuple[str, str]]:
        """Give the folders with files other than Python's, up to some thousands; relative to the root, too."""
        waiting = [self._roots[0].rstrip("/") or "/"]
        for folder in waiting:
            name = self._relative(folder)
            if name and len(waiting) < _MOST_FOLDERS:
                with os.scandir(folder) as entries:
                    inner = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
                waiting += [path for path, is_folder in inner if is_folder]
                if not all(is_folder or path.endswith(".py") for path, is_folder in inner):
                    yield folder, name.removeprefix(".")

    def _relative(self, path: str) -> str:
        for root in self._roots:
            if f"{path}/".startswith(root) and not path.startswith(self._foreign):
                relative = path[len(root) :] or "."
                return "" if _FOREIGN.intersection(relative.split("/")) else relative
        return ""


class Opens:
    """
    Hear from Linux (inotify) of files that are opened without Python: by pyarrow, h5py, polars, a child process.

    Where there is no inotify, or too few watches are left, such files are not seen.

    Args:
        scope: Which paths are the project's.
    """

    def __init__(self, scope: Scope) -> None:
        self._system = (os.read, os.fstat)
        self._folders: dict[int, str] = {}
        self._descriptor = -1
        try:
            import ctypes

            library = ctypes.CDLL(None)
            self._descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            for folder, name in scope.folders() if self._descriptor >= 0 else ():
                self._folders[library.inotify_add_watch(self._descriptor, os.fsencode(folder), _IN_OPEN)] = name
            self._place = os.fstat(self._descriptor)[1:3]
        except (AttributeError, ImportError, OSError):
            self._folders.clear()

    def since(self) -> Iterator[str]:
        """Give the files that were opened since last asked, Python's own and pytest's configuration left out."""
        if not self._folders:
            return
        reading, stat = self._system
        try:
            if stat(self._descriptor)[1:3] != self._place:
                raise OSError  # noqa: TRY301  a test closed ours, and the number is another file's now
            content = reading(self._descriptor, 1 << 20)
        except BlockingIOError:
            return
        except OSError:
            self._folders.clear()
            return
        at = 0
        while at < len(content):
            watch, mask, _, length = struct.unpack_from("iIII", content, at)
            name = os.fsdecode(content[at + 16 : at + 16 + length].rstrip(b"\0"))
            at += 16 + length
            if name and not mask & _IN_ISDIR and not name.endswith((".py", ".pyc")) and name not in _CONFIGURATION:
                yield f"{self._folders.get(watch, '')}/{name}".lstrip("/")


class Watch:
    """
    Hear of the interpreter's own events (PEP 578), at one look into a dict for most of them.

    Args:
        scope: Which paths are the project's.
        see: Is told `("files", path)`, `("folders", path)`, `("opaque", reason)`, `("sources", path)` of a Python
            file that is read as text, and `("native", path)` of a module in machine code.
    """

    def __init__(self, scope: Scope, see: Callable[[str, str], None]) -> None:
        self._scope, self._see = scope, see
        self._heard: dict[str, Callable[[FrameType, Any], None]] = {
            "open": self._opened,
            "os.listdir": self._listed,
            "os.scandir": self._listed,
            "sqlite3.connect": self._connected,
            "ctypes.dlopen": self._loaded,
            "import": self._imported,
            **{event: partial(self._started, words) for event, words in _PROCESSES.items()},
        }

    def start(self) -> None:
        """Begin; an audit hook cannot be taken away, only made deaf."""
        find, frame = self._heard.get, sys._getframe  # noqa: SLF001

        def audit(event: str, arguments: Any) -> None:
            heard = find(event)
            if heard is not None:
                try:
                    heard(frame(1), arguments)
                except Exception:  # noqa: BLE001  a fault of ours, or a path like no other, must not fail what is tested
                    return

        sys.addaudithook(audit)
        _tell_of_spawning(partial(self._started, _PROCESSES["subprocess.Popen"]))

    def end(self) -> None:
        """Hear no more."""
        self._heard.clear()

    def _opened(self, frame: FrameType, arguments: Any) -> None:
        path, _, flags = arguments
        if isinstance(flags, int) and (flags & os.O_ACCMODE == os.O_WRONLY or flags & os.O_TRUNC):
            return
        if frame.f_code.co_name.startswith("_rmtree"):  # which opens folders by names relative to others
            return
        # The interpreter itself looks for "<string>" when it shows where an error lies.
        for file in () if isinstance(path, int) or os.fsdecode(path).startswith("<") else self._scope.below(path):
            if file.endswith((".py", ".pyc")):
                if file.endswith(".py") and self._as_text(frame):
                    self._see("sources", file)
            elif not _only_shows(_asking(frame)):
                self._see("files", file)

    def _as_text(self, frame: FrameType | None) -> bool:
        """Say whether a Python file is read by what may act on its text, and not imported or shown."""
        if frame is None or frame.f_code.co_filename.startswith(_IMPORTLIB):
            return False
        cached = False
        while frame is not None and _module(frame) in _OPENERS:
            cached |= _module(frame) == "linecache"
            frame = frame.f_back
        if frame is None or _only_shows(_module(frame)):
            return False
        # Tools digest a test's source; only the project's own code is what the source may change.
        return not cached or bool(self._scope.module(frame.f_code.co_filename))

    def _listed(self, frame: FrameType, arguments: Any) -> None:
        if frame.f_code.co_filename.startswith(_IMPORTLIB) or frame.f_code.co_name.startswith("_rmtree"):
            return
        for folder in self._scope.below(arguments[0]):
            asking = _asking(frame)
            if not _only_shows(asking) and not asking.startswith(_METADATA):
                self._see("folders", folder)

    def _connected(self, frame: FrameType, arguments: Any) -> None:  # noqa: ARG002
        path = os.fsdecode(arguments[0])
        if path.startswith("file:"):
            path = path[5:].partition("?")[0]
        for file in self._scope.below(path) if path not in ("", ":memory:") else ():
            self._see("files", file)

    def _loaded(self, frame: FrameType, arguments: Any) -> None:  # noqa: ARG002
        for file in self._scope.below(arguments[0]) if arguments[0] else ():
            self._see("files", file)

    def _imported(self, frame: FrameType, arguments: Any) -> None:  # noqa: ARG002
        if arguments[1]:  # only a module in machine code has its file told
            for file in self._scope.below(arguments[1]):
                self._see("native", file)

    def _started(self, words: str, frame: FrameType, arguments: Any) -> None:  # noqa: ARG002
        program = next(iter(arguments), None)
        name = os.path.basename(os.fsdecode(program).partition(" ")[0]) if isinstance(program, (str, bytes)) else ""  # noqa: PTH119
        if name not in _HARMLESS:
            # The program alone: its arguments may hold a secret.
            self._see("opaque", f"{words} ({name})" if name else words)


def children() -> set[int]:
    """Give the processes that this one started and that are still there, without those that only clean up."""
    found = set()
    try:
        for task in os.listdir("/proc/self/task"):  # noqa: PTH208
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:  # noqa: PTH123
                found |= set(map(int, file.read().split()))
        return {pid for pid in found if b"resource_tracker" not in _command(pid)}
    except OSError:
        return found


def _command(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _only_shows(name: str) -> bool:
    """Say whether what a module reads changes nothing of what is tested: pytest, ours, and who shows a line."""
    top = name.partition(".")[0]
    return top in _SHOWING or top.startswith("mltest_")


def _asking(frame: FrameType | None) -> str:
    """Name the module that asked for what another opens."""
    while frame is not None and _module(frame) in _OPENERS:
        frame = frame.f_back
    return "" if frame is None else str(frame.f_globals.get("__name__"))


def _tell_of_spawning(started: Callable[[FrameType, Any], None]) -> None:
    """Tell of processes that multiprocessing and joblib start, since no event does."""
    try:
        import _posixsubprocess
    except ImportError:
        return
    spawning = _posixsubprocess.fork_exec

    def fork_exec(arguments: Any, *more: Any) -> int:
        frame = sys._getframe(1)  # noqa: SLF001
        if _module(frame) != "subprocess":  # which tells itself
            started(frame, [arguments[0]])
        return spawning(arguments, *more)

    _posixsubprocess.fork_exec = fork_exec
