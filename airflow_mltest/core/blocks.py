"""A source file as named blocks, and which of them differ."""

from __future__ import annotations

import ast
import base64
import hashlib
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.names import DEFS, idle, imported, kept_defaults, makers, statements_of, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

# Names that can be no `__qualname__`. A function's body is named by its own; its signature is `f()`, a class without
# its functions `class C`, what gives a module's name its value `X =`, or `import X`.
TEXT, REST, MAIN = "", "<module>", "<main>"
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
        lasting: Of the names in its scope, those that outlive a call of it: the class, what is made of it, a default
            that can be changed, and the variables of the functions around it.
    """

    nodes: list[ast.AST] = field(default_factory=list)
    scope: frozenset[str] = frozenset()
    owner: str = ""
    inside: bool = False
    lasting: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def blocks_of(text: str) -> Mapping[str, str]:
    """
    Name the blocks of *text*, each with a short hash that comments, docstrings and layout do not change.

    The hash holds the place of a block only where it matters what runs before it at import: a name that is given a
    value more than once, and what is registered by one and the same decorator or call. Decorators have a hash of
    their own behind it, after a dot.

    A text that cannot be parsed is one block, `<module>`. The name "" is that of the text as it stands.
    """
    whole = {TEXT: _digest(text)}
    pieces = outline(text)
    if pieces is None:
        return {**whole, REST: _digest(text)}
    turns = _turns(pieces)
    return whole | {name: _hash(piece, turns.get(name, ())) for name, piece in pieces.items()}


def _hash(piece: Piece, turns: Iterable[str]) -> str:
    decorators = [one for node in piece.nodes for one in getattr(node, "decorator_list", ())]
    found = _digest("\n".join([*_words(piece.nodes), *sorted(turns)]))
    return f"{found}.{_digest(' '.join(_words(decorators)))}" if decorators else found


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
    if isinstance(statement, (*DEFS, ast.ClassDef)):
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
        node.body = [inner for inner in _telling(node.body) if not isinstance(inner, (*DEFS, ast.ClassDef))]
    _piece(pieces, head, owner=name if isinstance(node, ast.ClassDef) else owner).nodes.append(node)


def _cut_deeper(node: Any, name: str, pieces: dict[str, Piece], scope: frozenset[str], owner: str) -> None:
    """Cut the functions out of what is inside *node*."""
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            if isinstance(inner, (*DEFS, ast.ClassDef)):
                _cut(inner, f"{name}.", pieces, scope, name)
        rest = [inner for inner in node.body if not isinstance(inner, (*DEFS, ast.ClassDef))]
        _cut_inner(rest, f"{name}.", pieces, scope, owner=name)
        return
    body, node.body = list(_telling(node.body)), []
    outside = {name for inner in statements_of(body) if isinstance(inner, ast.Global) for name in inner.names}
    around, own = scope, _parameters(node.args) | frozenset(stored(body))
    scope = (scope | own) - outside
    _cut_inner(body, f"{name}.<locals>.", pieces, scope, owner=owner, outside=frozenset(outside))
    piece = _piece(pieces, name, owner=owner)
    piece.nodes += body
    piece.scope, piece.inside = piece.scope | scope, True
    piece.lasting |= (around - own) | (own & {"cls", "self"}) | frozenset(kept_defaults(node.args))


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
    for node in list(statements_of(statements)):
        if isinstance(node, DEFS):
            name = node.name if node.name in outside else prefix + node.name
            _cut_deeper(node, name, pieces, scope, owner)
        elif isinstance(node, ast.ClassDef):
            name = prefix + node.name
            of_module = "<locals>" not in prefix
            if of_module:
                # Where it stands at the top of a module, its head counts with what chooses it.
                _piece(pieces, f"class {name}", owner=name).nodes += [node] if prefix else []
            _cut_inner(node.body, f"{name}.", pieces, scope, owner=name if of_module else owner)


def _telling(statements: Iterable[Any]) -> Iterator[Any]:
    """Leave out texts and dots that stand for themselves, as docstrings do."""
    return (one for one in statements if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)))


def _piece(pieces: dict[str, Piece], name: str, owner: str = "") -> Piece:
    return pieces.setdefault(name, Piece(owner=owner))


def _bound(statement: ast.AST) -> Iterator[str]:
    """Name the blocks that a statement of a module gives values to."""
    for node in statements_of([statement]):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (f"import {name}" for name in imported(node))
        elif isinstance(node, (*DEFS, ast.ClassDef)):
            # It may stand in an `if`: its head counts with what chooses it.
            yield f"class {node.name}" if isinstance(node, ast.ClassDef) else f"{node.name}()"
        else:
            yield from (f"{name} =" for name in stored([node]))


def _parameters(arguments: ast.arguments) -> frozenset[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return frozenset(one.arg for one in every if one is not None)


def _acts(statement: ast.AST) -> bool:
    return any(isinstance(node, (ast.Expr, ast.Delete, ast.Raise)) for node in _telling(statements_of([statement])))


def _is_typing(test: ast.expr) -> bool:
    return getattr(test, "attr", getattr(test, "id", "")) == "TYPE_CHECKING"


def _asks_for_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _turns(pieces: Mapping[str, Piece]) -> Mapping[str, list[str]]:
    """Say of each block after what it runs at import, as far as that matters."""
    scopes: dict[str, dict[ast.AST, list[str]]] = defaultdict(lambda: defaultdict(list))
    for block, piece in pieces.items():
        name = block.removeprefix("class ").removesuffix("()") if not block.startswith("import ") else ""
        for node in () if piece.inside or block == MAIN else piece.nodes:
            scopes[name.rpartition(".")[0]][node].append(block)
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                scopes[name][inner].append(block)
    turns: dict[str, list[str]] = defaultdict(list)
    quiet = frozenset(
        name for node in scopes[""] if isinstance(node, (ast.Import, ast.ImportFrom)) for name in idle(node)
    )
    for scope, statements in scopes.items():
        order = sorted(statements, key=lambda node: (node.lineno, node.col_offset))  # type: ignore[attr-defined]
        for node, word in _in_turn(order, quiet):
            for block in {*statements[node], *([f"class {scope}"] if scope else [])}:
                turns[block].append(word)
    return turns


def _in_turn(statements: Sequence[ast.AST], quiet: frozenset[str]) -> Iterator[tuple[ast.AST, str]]:
    """Give each of the *statements* of a module or a class with how often others have set what it uses before it."""
    bound = [{_bare(block) for block in _bound(node)} for node in statements]
    read = [set(_loaded(node)) for node in statements]
    # What binds no name is there for what it does to those that it mentions.
    sets = [
        names | (set() if names and not isinstance(node, _COMPOUND) else mentioned)
        for node, names, mentioned in zip(statements, bound, read, strict=True)
    ]
    times = Counter(name for names in sets for name in names)
    several = {name for name, count in times.items() if count > 1}
    own = {node.name for node in statements if isinstance(node, DEFS)}
    seen: Counter[str] = Counter()
    last: dict[str, str] = {}
    for node, names, mentioned, changed in zip(statements, bound, read, sets, strict=True):
        # Functions of the module may use any of its names.
        for name in several if mentioned & own else (names | mentioned) & several:
            yield node, f"{name} {seen[name]}"
        seen.update(changed)
        for maker in makers(node):
            if maker.partition(".")[0] not in quiet:
                if maker in last:
                    yield node, f"{last[maker]} {maker}"
                last[maker] = " ".join(sorted(names))


def _loaded(node: ast.AST) -> Iterator[str]:
    return (one.id for one in ast.walk(node) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Store))


def _bare(block: str) -> str:
    return block.removesuffix("()").removesuffix(" =").rpartition(" ")[2]


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
