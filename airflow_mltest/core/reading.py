"""What a piece of code uses, read from its syntax."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.names import CHANGING, QUIET, Walk, imports_of, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_mltest.core.blocks import Piece
    from airflow_mltest.core.names import Uses

_MAKING_UP = words("getattr attrgetter methodcaller")
_MADE_UP = (ast.JoinedStr, ast.BinOp, ast.Call)
_ACTIVE = (
    ast.For, ast.AsyncFor, ast.comprehension, ast.Starred, ast.BinOp, ast.UnaryOp, ast.Compare, ast.With,
    ast.AsyncWith, ast.Subscript, ast.AugAssign, ast.JoinedStr, ast.YieldFrom, ast.Await, ast.Match, ast.Set,
)  # fmt: skip
_TESTING = (ast.If, ast.IfExp, ast.While, ast.Assert, ast.BoolOp, ast.Not, ast.comprehension)
_LONGEST_NAME = 200


def uses_of(piece: Piece) -> Uses:
    """Read what a block uses."""
    reader = _Reader(piece)
    for node in piece.nodes:
        reader.read(node)
    uses = reader.uses
    uses.asked |= uses.attributes
    for text in uses.texts:
        uses.attributes.update(name for name in text.split(".") if name.isidentifier())
    if ("getattr",) in uses.chains:
        uses.asked |= uses.attributes
    if reader.held.isdisjoint(reader.returned):
        uses.keeps.discard("self")
    uses.anything |= not reader.asked.isdisjoint(reader.made_up)
    narrow = {chain for chain, text in uses.handed if text}
    uses.handed = {(chain, text) for chain, text in uses.handed if chain in narrow}
    return uses


class _Reader(Walk):
    """Walks one block; what is local to it is told by its attributes only."""

    def __init__(self, piece: Piece) -> None:
        super().__init__(piece.scope, piece.lasting)
        self._inside, self._in_class = piece.inside, bool(piece.owner) and not piece.inside
        self._handlers: dict[type, Callable[[Any], None]] = {
            ast.Attribute: self._attribute,
            ast.Name: self._name,
            ast.Constant: self._constant,
            ast.Import: self._import,
            ast.ImportFrom: self._import,
            ast.Global: self._global,
            ast.FunctionDef: self._head,
            ast.AsyncFunctionDef: self._head,
            ast.ClassDef: self._class,
            ast.Assign: self._assign,
            ast.AugAssign: self._annotated,
            ast.AnnAssign: self._annotated,
            ast.Delete: self._assign,
            ast.Expr: self._expression,
            ast.Call: self._call,
            ast.Compare: self._compare,
            ast.Subscript: self._subscript,
            ast.For: self._loop,
            ast.Return: self._return,
            ast.comprehension: self._loop,
        }

    def read(self, node: ast.AST) -> None:
        """Walk *node* and all that is in it."""
        waiting = self._waiting
        waiting.append(node)
        while waiting:
            found = waiting.pop()
            if isinstance(found, _ACTIVE):
                self.uses.active = True
            if isinstance(found, _TESTING):
                self.uses.testing = True
            self._handlers.get(type(found), self._inner)(found)

    def _attribute(self, node: ast.Attribute) -> None:
        self.uses.attributes.add(node.attr)
        chain = self._chain(node)
        if chain:
            self.uses.chains.add(chain)
            self.uses.attributes.update(chain[1:])
        else:
            self._later(node.value)

    def _name(self, node: ast.Name) -> None:
        if node.id not in self._scope and isinstance(node.ctx, (ast.Load, ast.Del)):
            self.uses.chains.add((node.id,))

    def _constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bytes):
            self._text(node.value.decode("utf-8", "replace"))
        elif isinstance(node.value, str):
            self._text(node.value)

    def _text(self, text: str) -> None:
        if len(text) <= _LONGEST_NAME:
            self.uses.texts.add(text)
        else:
            # A script, as `python -c` runs it.
            self.uses.texts.update(word.strip("\"'();,:") for word in text.split())

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for name, target in imports_of(node):
            self.uses.imports.setdefault(name, []).append(target)
        if isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            self.uses.modules.update((source, alias.name) for alias in node.names)
        else:
            self.uses.modules.update((alias.name, "") for alias in node.names)

    def _global(self, node: ast.Global) -> None:
        self.uses.changes.update((name,) for name in node.names)

    def _head(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            self._value(default)
        for decorator in node.decorator_list:
            self._decorator(decorator)
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        given = [one for call in node.decorator_list if isinstance(call, ast.Call) for one in call.keywords]
        self.uses.parameters.update(one.arg for one in (*every, *given) if one is not None and one.arg)
        notes = [node.returns, *(one.annotation for one in every if one is not None)]
        (self._later if node.decorator_list else self._annotations)(*notes)
        self._later(*node.body)

    def _decorator(self, node: ast.expr) -> None:
        called = isinstance(node, ast.Call)
        chain = self._chain(node.func if isinstance(node, ast.Call) else node)
        if not chain:
            self._later(node)
            return
        self.uses.decorators.add((chain, called))
        self.uses.calls.add(chain)
        self.uses.attributes.update(chain[1:])
        if isinstance(node, ast.Call):
            self.uses.given.add(chain)
            self._later(*node.args, *node.keywords)

    def _class(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            chain = self._chain(base.value if isinstance(base, ast.Subscript) else base)
            if chain:
                self.uses.bases.add(chain)
            else:
                self._later(base)
        for decorator in node.decorator_list:
            self._decorator(decorator)
        self._later(*node.keywords, *node.body)
        self.uses.calls.update(filter(None, (self._chain(one.value) for one in node.keywords)))
        if self._inside:
            self.uses.chains |= self.uses.bases

    def _assign(self, node: ast.Assign | ast.Delete) -> None:
        for target in node.targets:
            self._target(target)
        if isinstance(node, ast.Assign):
            if not all(isinstance(one, ast.Name) for one in node.targets):
                self.held.update(one.id for one in (*node.targets, node.value) if isinstance(one, ast.Name))
            names = [one.id for one in node.targets if isinstance(one, ast.Name)]
            self.made_up.update(names if isinstance(node.value, _MADE_UP) else [])
            held = [one.id for one in ast.walk(node.value) if isinstance(one, ast.Name)] if self._in_class else []
            self.uses.aliases.update((alias, one) for alias in names for one in held)
            self._value(node.value)

    def _subscript(self, node: ast.Subscript) -> None:
        """Tell `globals()["name"]` from a name that is made up, and note `sys.modules[__name__]`."""
        if self._chain(node.value) == ("sys", "modules") and getattr(node.slice, "id", "") == "__name__":
            self.uses.own = True
        called = self._chain(node.value.func) if isinstance(node.value, ast.Call) else ()
        literal = called == ("globals",) and isinstance(node.slice, ast.Constant)
        self._later(node.slice, None if literal else node.value)

    def _annotated(self, node: ast.AnnAssign | ast.AugAssign) -> None:
        self._target(node.target)
        if isinstance(node, ast.AugAssign):
            self._later(node.value)
            return
        self._value(node.value)
        if not self._inside:  # a dataclass or a schema makes something of it; a function does not
            self._later(node.annotation)

    def _target(self, target: ast.AST) -> None:
        """Note what an assignment to *target* changes in place."""
        if isinstance(target, (ast.Tuple, ast.List)):
            self.uses.active = True
            for one in target.elts:
                self._target(one)
            return
        if isinstance(target, (ast.Subscript, ast.Attribute)):
            self._stores(target)
            chain = self._chain(target.value)
            if chain:
                self.uses.changes.add((*chain, target.attr) if isinstance(target, ast.Attribute) else chain)
                self.uses.attributes.update(chain[1:])
            else:
                self._later(target.value)
            if isinstance(target, ast.Subscript):
                self.uses.active = True
                self._later(target.slice)
            else:
                self.uses.stored.add(target.attr)
            return
        self._later(target)

    def _expression(self, node: ast.Expr) -> None:
        """Note a call for its effect: `REGISTRY.append(this)` reads nothing of what is in it."""
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in CHANGING:
            self._stores(call.func.value)
            chain = self._chain(call.func.value)
            if chain:
                self.uses.changes.add(chain)
                self.uses.effects.add((*chain, call.func.attr))
                self.uses.attributes.update((*chain[1:], call.func.attr))
                self._later(*call.args, *call.keywords)
                return
        self._later(call)

    def _call(self, node: ast.Call) -> None:
        function = self._chain(node.func)
        if function:
            self.uses.calls.add(function)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        self._by_name(name, node)
        self._stores(node.func if name in CHANGING else None)
        if (node.args or node.keywords) and not (isinstance(node.func, ast.Name) and name in QUIET):
            self.uses.given.add(function)
            self.uses.active |= not function
        self._handed(node.args[:2] if name == "getattr" else node.args)
        self._inner(node)

    def _by_name(self, name: str, node: ast.Call) -> None:
        """Note a call that asks for something by its name."""
        if name in _MAKING_UP or name == "getmembers":
            names = node.args[1:2] if name == "getattr" else node.args
            self.uses.anything |= any(isinstance(one, _MADE_UP) for one in names) or name == "getmembers"
            self.asked.update(one.id for one in names if isinstance(one, ast.Name))
        elif name == "hasattr":  # it runs what stands behind the name, and keeps what that caches
            self.uses.asked.update(str(one.value) for one in node.args if isinstance(one, ast.Constant))
        elif name in {"isinstance", "issubclass"}:
            self.uses.attributes.update(("__instancecheck__", "__subclasscheck__", "__subclasshook__"))
        elif name == "globals":
            self.uses.own = True

    def _handed(self, arguments: Iterable[ast.expr]) -> None:
        texts = [one.value for one in arguments if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        for one in arguments:
            chain = self._chain(one)
            self.uses.handed.update((chain, text) for text in texts or ("",) if chain)

    def _compare(self, node: ast.Compare) -> None:
        """Note that `name in TABLE` asks for the names in a table only, and for nothing that stands behind them."""
        self._later(node.left)
        for operator, other in zip(node.ops, node.comparators, strict=True):
            chain = self._chain(other)
            if isinstance(operator, (ast.In, ast.NotIn)) and chain:
                self.uses.members.add(chain)
            else:
                self._later(other)

    def _value(self, node: ast.AST | None) -> None:
        """Tell what a value only mentions from what makes it."""
        if self._inside or not self._mentions(node):
            self._later(node)

    def _mentions(self, node: ast.AST | None) -> bool:
        waiting, found = [node], set()
        while waiting:
            one = waiting.pop()
            if isinstance(one, (ast.Tuple, ast.List, ast.Set)):
                waiting += one.elts
            elif isinstance(one, ast.Dict):
                waiting += [*one.keys, *one.values]
            elif isinstance(one, ast.Constant):
                self._constant(one)
            elif one is not None:
                chain = self._chain(one)
                if not chain:
                    return False
                found.add(chain)
        self.uses.references |= found
        self.uses.attributes.update(name for chain in found for name in chain[1:])
        return True

    def _annotations(self, *notes: ast.AST | None) -> None:
        for note in notes:
            for node in ast.walk(note) if note is not None else ():
                chain = self._chain(node) if isinstance(node, (ast.Name, ast.Attribute)) else ()
                if chain:
                    self.uses.annotations.add(chain)
