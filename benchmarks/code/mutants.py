"""Single edits of a package's source, drawn by a seed: what a person gets wrong, in one place at a time."""

from __future__ import annotations

import ast
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_COMPARED = {ast.Eq: "!=", ast.NotEq: "==", ast.Lt: ">=", ast.GtE: "<", ast.Gt: "<=", ast.LtE: ">"}
_COMPARED |= {ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in"}
_COMPUTED = {ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "+"}
_KINDS = ("raise", "raise", "change", "change", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """
    One edit.

    Args:
        path: The file, relative to the root.
        kind: `raise` at the start of a function; `change` of an operator, constant or returned value
            in one; `value` of a module's constant, a class's attribute or a default argument.
        where: Line and what stands there now, for a person.
        text: The whole file after the edit.
    """

    path: str
    kind: str
    where: str
    text: str

    def apply(self, folder: Path) -> None:
        """Edit the copy of the package in *folder*."""
        (folder / self.path).write_text(self.text, encoding="utf-8")


def draw(sources: Mapping[str, str], count: int, seed: int) -> list[Mutant]:
    """
    Draw *count* different edits.

    A file is drawn by its size, then a kind of edit, then a place: as where people work.

    Args:
        sources: Path -> text of the files that may be edited.
        count: How many.
        seed: The same seed draws the same edits of the same sources.
    """
    chance = random.Random(seed)  # noqa: S311  no secret
    paths = sorted(sources)
    weights = [len(sources[path]) for path in paths]
    drawn: dict[str, Mutant] = {}
    for _ in range(count * 50):
        if len(drawn) == count:
            break
        path, kind = chance.choices(paths, weights)[0], chance.choice(_KINDS)
        places: list[tuple[Any, str]] = list(_PLACES[kind](ast.parse(sources[path])))
        if not places:
            continue
        node, new = chance.choice(places)
        text = _spliced(sources[path], node, new)
        if text is not None and text not in drawn:
            drawn[text] = Mutant(path=path, kind=kind, where=f"{path}:{node.lineno} {new[:40]}", text=text)
    return list(drawn.values())


def _spliced(text: str, node: Any, new: str) -> str | None:
    """Put *new* in the place of *node*; None where that cannot be parsed or changes nothing."""
    lines = text.encode().splitlines(keepends=True)
    before = sum(map(len, lines[: node.lineno - 1]))
    start = before + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    whole = text.encode()
    if new.startswith("raise "):
        indent = b" " * node.col_offset
        edited = whole[:start] + new.encode() + b"\n" + indent + whole[start:]
    else:
        edited = whole[:start] + new.encode() + whole[end:]
    try:
        same = ast.dump(ast.parse(edited)) == ast.dump(ast.parse(whole))
    except SyntaxError:
        return None
    return None if same else edited.decode()


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _body(function: ast.FunctionDef) -> list[ast.stmt]:
    """Give what runs: without the docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def _raises(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for function in _functions(tree):
        body = _body(function)
        if body and body[0].lineno > function.lineno:
            first = body[0]
            decorated = getattr(first, "decorator_list", [])
            if not decorated:
                yield first, 'raise RuntimeError("mutant")'


def _changes(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for function in _functions(tree):
        for statement in _body(function):
            for node in ast.walk(statement):
                new = _changed(node)
                if new is not None:
                    yield node, new


def _changed(node: ast.AST) -> str | None:
    """Say what stands there after the edit; None where nothing of it can be changed."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        operator = _COMPARED[type(node.ops[0])]
        return f"({ast.unparse(node.left)} {operator} {ast.unparse(node.comparators[0])})"
    if isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        return f"(({ast.unparse(node.left)}) {_COMPUTED[type(node.op)]} ({ast.unparse(node.right)}))"
    if isinstance(node, ast.BoolOp):
        return "(" + (" or " if isinstance(node.op, ast.And) else " and ").join(map(ast.unparse, node.values)) + ")"
    if isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        return "return None"
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return _value(node)
    return None


def _values(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.Assign | ast.AnnAssign) and not _is_special(statement):
                    yield from _constants(statement.value)
        elif isinstance(node, ast.arguments):
            for default in (*node.defaults, *node.kw_defaults):
                yield from _constants(default)


def _is_special(statement: ast.Assign | ast.AnnAssign) -> bool:
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    return isinstance(target, ast.Name) and target.id.startswith("__")


def _constants(node: ast.AST | None) -> Iterator[tuple[ast.AST, str]]:
    for inner in ast.walk(node) if node is not None else ():
        if isinstance(inner, ast.Constant) and inner.value is not Ellipsis:
            yield inner, _value(inner)


def _value(node: ast.Constant) -> str:
    """Give another constant of the same type."""
    if isinstance(node.value, bool):
        return str(not node.value)
    if isinstance(node.value, int | float):
        return str(node.value + 1)
    if isinstance(node.value, str):
        return repr(node.value + "_mutant")
    return "1" if node.value is None else "None"


_PLACES = {"raise": _raises, "change": _changes, "value": _values}
