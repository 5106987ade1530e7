"""Inside the tested interpreter: modules whose functions tell that they run. Needs pytest and nothing of ours."""

# Copied alone into the tested interpreter, as `mltest_instrument`, which may be Python 3.9 with pytest 7.
from __future__ import annotations

import ast
import dis
import hashlib
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import marshal
import os
import re
import sys
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

HITS = "__mltest_hits__"
_VERSION = 1
# What warnings and tracebacks take for the import system's own frames.
_IMPORTLIB = "<frozen importlib._bootstrap_external>"
_IMPORT_NAME = dis.opmap["IMPORT_NAME"]
_NESTING: Any = tuple(
    getattr(ast, name)
    for name in (
        *("If", "For", "AsyncFor", "While", "With", "AsyncWith", "Try", "TryStar", "ExceptHandler", "Match"),
        "match_case",
    )
    if hasattr(ast, name)
)
# What reads a function's code would stumble over ours, and what it made of it does not tell that it runs.
_COMPILERS = {"numba", "taichi", "triton"}
_COMPILING = re.compile(r"(?<![a-zA-Z])n?jit(class|able)?(?![a-zA-Z])|guvectorize|tf\.function|torch\.compile")
_HINTS = (b"jit", b"guvectorize", b"numba", b"taichi", b"triton", b"tf.function", b"torch.compile")


class LeftAlone(Exception):  # noqa: N818  it is an answer, not an error
    """The module is better imported as it is; says why."""


class Instrument:
    """
    Compile modules so that each function tells that it runs: one store into a dict, its first statement.

    Args:
        cache: A folder for what was compiled, shared by parallel processes and by checkouts: one entry a file
            and interpreter, so it stays as small as the project. Empty for none.
    """

    def __init__(self, cache: str) -> None:
        self._cache = cache
        self._files = (os.open, os.read, os.write, os.close, os.replace, os.fstat)  # before a test can replace them

    def compiled(self, source: bytes, path: str, file: str, rewriting: Any = None) -> CodeType:
        """
        Compile *source*, or find it compiled.

        Args:
            source: The file's content.
            path: Where it lies, for tracebacks.
            file: The same, relative to the root.
            rewriting: pytest's configuration, where pytest rewrites the file's assertions.

        Raises:
            Exception: It cannot be done; a `LeftAlone` where it should not.
        """
        place = [_VERSION, file, importlib.util.MAGIC_NUMBER, sys.flags.optimize, sys.version]
        if rewriting is not None:
            place += [pytest.__version__, rewriting.getini("enable_assertion_pass_hook")]
        name = hashlib.sha256(repr(place).encode()).hexdigest()
        entry = os.path.join(self._cache, name) if self._cache else ""  # noqa: PTH118
        digest = hashlib.sha256(source).digest()
        code = self._load(entry, digest, path) if entry else None
        if code is None:
            tree: Any = compile(source, path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
            if any(word in source for word in _HINTS):
                _leave_compiled_alone(tree)
            _mark(tree, "", file, set())
            if rewriting is not None:
                from _pytest.assertion.rewrite import rewrite_asserts

                rewrite_asserts(tree, source, path, rewriting)
            code = compile(tree, path, "exec", dont_inherit=True)
            if entry:
                self._keep(entry, digest + marshal.dumps(code))
        return code

    def _load(self, entry: str, digest: bytes, path: str) -> CodeType | None:
        opening, reading, _, closing, _, stat = self._files
        try:
            descriptor = opening(entry, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            content = reading(descriptor, stat(descriptor).st_size)
        finally:
            closing(descriptor)
        # A torn entry would end the interpreter, not raise.
        if content[4:36] != digest or content[:4] != zlib.crc32(content[4:]).to_bytes(4, "big"):
            return None
        code: CodeType = marshal.loads(content[36:])  # noqa: S302  our own, from a folder of ours
        # It may have been compiled in another checkout.
        sys.modules["_imp"]._fix_co_filename(code, path)  # noqa: SLF001
        return code

    def _keep(self, entry: str, content: bytes) -> None:
        opening, _, writing, closing, replacing, _ = self._files
        aside = f"{entry}.{os.getpid()}.{threading.get_ident()}"
        try:
            descriptor = opening(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            try:
                writing(descriptor, zlib.crc32(content).to_bytes(4, "big") + content)
            finally:
                closing(descriptor)
            replacing(aside, entry)
        except OSError:
            return  # a full disk or a folder that cannot be written: next time it is compiled again


def _leave_compiled_alone(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").partition(".")[0]]
        if _COMPILERS.intersection(names):
            why = "compiled by " + ", ".join(sorted(_COMPILERS.intersection(names)))
            raise LeftAlone(why)
        called = [node.func] if isinstance(node, ast.Call) else getattr(node, "decorator_list", [])
        for name in map(ast.unparse, called):
            if _COMPILING.search(name):
                why = f"compiled by a decorator ({name[:80]})"
                raise LeftAlone(why)


def _mark(node: Any, prefix: str, file: str, outside: set[str]) -> None:
    """Put a store at the start of each function below *node*, under its `__qualname__`."""
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        for child in getattr(node, block, ()):
            if isinstance(child, ast.Global):
                outside.update(child.names)
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                name = child.name if child.name in outside else prefix + child.name
                _mark(child, f"{name}.<locals>.", file, set())
                _insert_store(child.body, f"{file}::{name}")
            elif isinstance(child, ast.ClassDef):
                name = child.name if child.name in outside else prefix + child.name
                _mark(child, f"{name}.", file, set())
            elif isinstance(child, _NESTING):
                _mark(child, prefix, file, outside)


def _insert_store(body: list[ast.stmt], name: str) -> None:
    first = body[0]
    documented = isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str)
    at = body[1] if documented and len(body) > 1 else first
    # The line of the first statement: no tool that counts lines sees one more.
    place: Any = {name: getattr(at, name) for name in ("lineno", "col_offset")}
    place.update(end_lineno=at.lineno, end_col_offset=at.col_offset)
    hits = ast.Name(id=HITS, ctx=ast.Load(), **place)
    target = ast.Subscript(value=hits, slice=ast.Constant(value=name, **place), ctx=ast.Store(), **place)
    store = ast.Assign(targets=[target], value=ast.Constant(value=1, **place), **place)
    body.insert(1 if documented else 0, store)


class Imports:
    """
    Have each module of the project compiled by *instrument*, and tell while it runs.

    Whatever goes wrong leaves the module as Python and pytest import it, and is told.

    Args:
        instrument: Compiles.
        locate: Gives a module's file relative to the root; empty where it is not the project's.
        told: `enter(file)` before a module runs, `leave(what enter gave)` after it, `plain(file, why)` where
            its functions do not tell, `named(file)` where code gave its name as a text.
        hits: What the functions write into.
    """

    def __init__(self, instrument: Instrument, locate: Callable[[Any], str], told: Any, hits: dict[str, int]) -> None:
        self._instrument, self._locate, self._told, self._hits = instrument, locate, told, hits

    def follow(self) -> None:
        """Begin, with whatever is imported from now on."""
        from _pytest.assertion import rewrite

        self._follow_running(importlib.machinery.SourceFileLoader)
        self._follow_running(importlib.machinery.SourcelessFileLoader, why="has no source")
        self._follow_running(rewrite.AssertionRewritingHook)
        self._follow_compiling(importlib.machinery.SourceFileLoader)
        self._follow_rewriting(rewrite)
        self._follow_names()

    def _follow_running(self, loader_class: Any, why: str = "") -> None:
        running = loader_class.exec_module
        locate, told, hits = self._locate, self._told, self._hits

        def exec_module(self: Any, module: Any) -> None:
            file = locate(getattr(self, "path", None) or getattr(module.__spec__, "origin", None))
            if not file:
                running(self, module)
                return
            if why:
                told.plain(file, why)
            if _by_name(sys._getframe(1)):  # noqa: SLF001
                told.named(file)
            module.__dict__[HITS] = hits  # for a function that is sent by value to where no recorder is
            window = told.enter(file)
            try:
                running(self, module)
            finally:
                told.leave(window)

        loader_class.exec_module = _unseen(exec_module)

    def _follow_compiling(self, loader_class: Any) -> None:
        compiling, plain = loader_class.get_code, loader_class.source_to_code

        def get_code(loader: Any, name: str) -> Any:
            code = None
            path = loader.get_filename(name)
            if type(loader).source_to_code is plain:
                code = self._compiled(path, loader.get_data)
            elif self._locate(path):
                self._told.plain(self._locate(path), f"compiled by {type(loader).__name__}")
            if self._locate(path) and _by_name(sys._getframe(1)):  # noqa: SLF001
                self._told.named(self._locate(path))
            return compiling(loader, name) if code is None else code

        loader_class.get_code = _unseen(get_code)

    def _follow_rewriting(self, rewrite: Any) -> None:
        reading = rewrite._read_pyc  # noqa: SLF001

        def read_pyc(source: Any, *more: Any, **named: Any) -> Any:
            hooks = [hook for hook in sys.meta_path if isinstance(hook, rewrite.AssertionRewritingHook)]
            code = self._compiled(str(source), _content, hooks[0].config) if hooks else None
            return reading(source, *more, **named) if code is None else code

        rewrite._read_pyc = read_pyc  # noqa: SLF001

    def _follow_names(self) -> None:
        importing = importlib.import_module

        def import_module(name: str, package: str | None = None) -> Any:
            module = importing(name, package)
            file = self._locate(getattr(module, "__file__", None))
            if file and _by_name(sys._getframe(1)):  # noqa: SLF001
                self._told.named(file)
            return module

        for holder in (importlib, importlib.metadata):
            holder.import_module = _unseen(import_module)  # type: ignore[attr-defined]

    def _compiled(self, path: str, read: Callable[[str], bytes], rewriting: Any = None) -> CodeType | None:
        file = self._locate(path)
        if not file:
            return None
        try:
            return self._instrument.compiled(read(path), path, file, rewriting)
        except LeftAlone as why:
            self._told.plain(file, str(why))
        except Exception as error:  # noqa: BLE001  Python's own import says what is wrong, if anything is
            self._told.plain(file, f"cannot be followed: {type(error).__name__}")
        return None


def _by_name(frame: FrameType | None) -> bool:
    """Say whether the code that has a module imported or compiled is no import statement, which its source shows."""
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    if frame is None or str(frame.f_globals.get("__name__")).partition(".")[0] in {"importlib", "_pytest"}:
        return False
    return frame.f_code.co_code[frame.f_lasti] != _IMPORT_NAME


def _content(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


def _unseen(function: Any) -> Any:
    """Make *function* look like the import system, which warnings and tracebacks pass over."""
    function.__code__ = function.__code__.replace(co_filename=_IMPORTLIB)
    return function
