"""A source file as named blocks, and which of them differ."""

from __future__ import annotations

import ast
import base64
import hashlib
import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

# Names that can be no `__qualname__`. A function's body is named by its own; its signature is `f()`, a class without
# its functions `class C`, what gives a module's name its value `X =`, or `import X`.
TEXT, REST, MAIN = "", "<module>", "<main>"
_DEFS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SUITES = ("body", "orelse", "handlers", "finalbody", "cases")
_COMPOUND = (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.Match, ast.AsyncFor, ast.AsyncWith)


@dataclass(slots=True, kw_only=True)
class Piece:
    """
    One block of a file, as syntax.

    Args:
        nodes: Statements, without the bodies of the functions in them.
        scope: Names that are local to it, or to the functions around it.
        owner: The class that it is written in, if any.
        inside: Whether it is a function's body, which runs when it is called; all else runs at import.
    """

    nodes: list[ast.AST] = field(default_factory=list)
    scope: frozenset[str] = frozenset()
    owner: str = ""
    inside: bool = False


@lru_cache(maxsize=4096)
def blocks_of(text: str) -> Mapping[str, str]:
    """
    Name the blocks of *text*, each with a short hash that comments, docstrings and layout do not change.

    A text that cannot be parsed is one block, `<module>`. The name "" is that of the text as it stands.
    """
    whole = {TEXT: _digest(text)}
    pieces = outline(text)
    if pieces is None:
        return {**whole, REST: _digest(text)}
    return whole | {name: _digest("\n".join(_words(piece.nodes))) for name, piece in pieces.items()}


def difference(before: str | None, after: str | None) -> frozenset[str]:
    """Name the blocks that differ between two texts of a file; None is a file that is not there."""
    if before == after:
        return frozenset()
    return compare(blocks_of(before or ""), blocks_of(after or ""))


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> frozenset[str]:
    """Name the blocks that differ between what `blocks_of` gave for two texts."""
    if before.get(TEXT) == after.get(TEXT):
        return frozenset()
    names = before.keys() | after.keys()
    return frozenset(name for name in names if name != TEXT and before.get(name) != after.get(name))


def outline(text: str) -> dict[str, Piece] | None:
    """Cut *text* into its blocks; None where it cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes, which are not ours to tell
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    pieces: dict[str, Piece] = {}
    for statement in _telling(tree.body):
        _cut_top(statement, pieces)
    return pieces


def _cut_top(statement: ast.stmt, pieces: dict[str, Piece]) -> None:
    """Give a statement of a module to the blocks that it belongs to."""
    if isinstance(statement, (*_DEFS, ast.ClassDef)):
        _cut(statement, "", pieces, frozenset())
        return
    if isinstance(statement, ast.If) and _is_typing(statement.test):
        for other in _telling(statement.orelse):
            _cut_top(other, pieces)
        return
    if isinstance(statement, ast.If) and _asks_for_main(statement.test):
        _cut_inner([statement], "", pieces, frozenset(), owner="")
        _piece(pieces, MAIN).nodes.append(statement)
        return
    if isinstance(statement, _COMPOUND):
        _cut_inner([statement], "", pieces, frozenset(), owner="")
    names = list(dict.fromkeys(_bound(statement)))
    for name in names:
        _piece(pieces, name).nodes.append(statement)
    if not names or (isinstance(statement, _COMPOUND) and _acts(statement)):
        _piece(pieces, REST).nodes.append(statement)


def _cut(node: Any, prefix: str, pieces: dict[str, Piece], scope: frozenset[str], owner: str = "") -> None:
    """Take a function or class of a module or class apart; what is left of it is its head."""
    name = prefix + node.name
    head = f"class {name}" if isinstance(node, ast.ClassDef) else f"{name}()"
    _cut_deeper(node, name, pieces, scope, owner)
    if isinstance(node, ast.ClassDef):
        # Its functions have heads of their own.
        node.body = [inner for inner in _telling(node.body) if not isinstance(inner, (*_DEFS, ast.ClassDef))]
    _piece(pieces, head, owner=name if isinstance(node, ast.ClassDef) else owner).nodes.append(node)


def _cut_deeper(node: Any, name: str, pieces: dict[str, Piece], scope: frozenset[str], owner: str) -> None:
    """Cut the functions out of what is inside *node*."""
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            if isinstance(inner, (*_DEFS, ast.ClassDef)):
                _cut(inner, f"{name}.", pieces, scope, name)
        rest = [inner for inner in node.body if not isinstance(inner, (*_DEFS, ast.ClassDef))]
        _cut_inner(rest, f"{name}.", pieces, scope, owner=name)
        return
    body, node.body = list(_telling(node.body)), []
    outside = {name for inner in _statements(body) if isinstance(inner, ast.Global) for name in inner.names}
    scope = (scope | _parameters(node.args) | frozenset(_stored(body))) - outside
    _cut_inner(body, f"{name}.<locals>.", pieces, scope, owner=owner, outside=frozenset(outside))
    piece = _piece(pieces, name, owner=owner)
    piece.nodes += body
    piece.scope, piece.inside = piece.scope | scope, True


def _cut_inner(  # noqa: PLR0913  what surrounds the statements
    statements: Iterable[ast.AST],
    prefix: str,
    pieces: dict[str, Piece],
    scope: frozenset[str],
    *,
    owner: str,
    outside: frozenset[str] = frozenset(),
) -> None:
    """Cut the bodies of functions that stand among *statements*, however deep; their heads stay where they are."""
    for node in list(_statements(statements)):
        if isinstance(node, _DEFS):
            name = node.name if node.name in outside else prefix + node.name
            _cut_deeper(node, name, pieces, scope, owner)
        elif isinstance(node, ast.ClassDef):
            _cut_inner(node.body, f"{prefix}{node.name}.", pieces, scope, owner=owner)


def _statements(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Give *statements* and those inside of them, without what functions and classes hold."""
    for node in statements:
        yield node
        if not isinstance(node, (*_DEFS, ast.ClassDef)):
            for suite in _SUITES:
                yield from _statements(getattr(node, suite, ()))


def _telling(statements: Iterable[Any]) -> Iterator[Any]:
    """Leave out texts and dots that stand for themselves, as docstrings do."""
    return (one for one in statements if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)))


def _piece(pieces: dict[str, Piece], name: str, owner: str = "") -> Piece:
    return pieces.setdefault(name, Piece(owner=owner))


def _bound(statement: ast.AST) -> Iterator[str]:
    """Name the blocks that a statement of a module gives values to."""
    for node in _statements([statement]):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (f"import {name}" for name in imported(node))
        elif isinstance(node, (*_DEFS, ast.ClassDef)):
            # It may stand in an `if`: its head counts with what chooses it.
            yield f"class {node.name}" if isinstance(node, ast.ClassDef) else f"{node.name}()"
        else:
            yield from (f"{name} =" for name in _stored([node]))


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Name what an import statement binds; a star, and of what, where it binds all there is."""
    if isinstance(node, ast.Import):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    source = "." * node.level + (node.module or "")
    return [f"* {source}" if alias.name == "*" else alias.asname or alias.name for alias in node.names]


def _stored(statements: Iterable[ast.AST]) -> Iterator[str]:
    """Name what *statements* assign, not counting imports at the level of a module."""
    for statement in _statements(statements):
        if isinstance(statement, (*_DEFS, ast.ClassDef, ast.ExceptHandler)) and statement.name:
            yield statement.name
        for node in _binding(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
                yield node.name


def _binding(statement: ast.AST) -> Iterator[ast.AST]:
    """Give the syntax in which a statement itself may bind names: its targets, and `:=`."""
    for part in _parts(statement, "targets", "items", "target", "pattern"):
        yield from ast.walk(part)
    for part in _parts(statement, "test", "value", "iter", "subject"):
        yield from (node.target for node in ast.walk(part) if isinstance(node, ast.NamedExpr))


def _parts(statement: ast.AST, *names: str) -> Iterator[ast.AST]:
    for name in names:
        found = getattr(statement, name, ())
        yield from (one for one in (found if isinstance(found, list) else [found]) if isinstance(one, ast.AST))


def _parameters(arguments: ast.arguments) -> frozenset[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return frozenset(one.arg for one in every if one is not None)


def _acts(statement: ast.AST) -> bool:
    return any(isinstance(node, (ast.Expr, ast.Delete, ast.Raise)) for node in _telling(_statements([statement])))


def _is_typing(test: ast.expr) -> bool:
    return getattr(test, "attr", getattr(test, "id", "")) == "TYPE_CHECKING"


def _asks_for_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _words(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Write syntax down, without places, docstrings and empty fields: the same in every version of Python."""
    waiting: list[Any] = list(nodes)[::-1]
    push: Callable[[Any], None] = waiting.append
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.AST):
            yield type(node).__name__
            values = node.__dict__
            for name in node._fields[::-1]:
                value = values.get(name)
                if value is not None and value != []:
                    push(value)
                    push(f".{name}")
            continue
        if isinstance(node, list):
            yield "["
            push("]")
            waiting += [one for one in node if not _mute(one)][::-1]
        else:
            yield node if type(node) is str else repr(node)


def _mute(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _digest(text: str) -> str:
    """Give 48 bits, which is enough to tell one block's texts apart."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return base64.b64encode(digest).decode()
