"""`down_level.py TREE TO [AS_NAME]`: writes a tree of Python 3.14 so that Python 3.11, which PyPy is, reads it.

Nothing changes but notation: annotations stay text, type parameters become type variables, type aliases nothing that is looked at.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
import shutil
import sys

EMPTIED = {"headroom/__init__.py"}
"""The one file of a soak's imports that wants Home Assistant."""
LEFT_OUT = {"tests", "docs", "__pycache__"}
STR_BYTES = 41
"""What a str weighs in CPython beside its letters, where they are ASCII."""
GIVEN = {
    "TypeVar": "from typing import TypeVar as _TypeVar; {name} = _TypeVar('{name}')",
    "ParamSpec": "from typing import ParamSpec as _ParamSpec; {name} = _ParamSpec('{name}')",
    "Generic": "from typing import Generic as _Generic",
    "Any": "from typing import Any as _Any",
}


class DownLevel(ast.NodeTransformer):
    """Turns one module's tree; `needed` are the names to be given first, by kind."""

    def __init__(self) -> None:
        """Start a module."""
        self.needed: dict[str, str] = {}

    def _parameters(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[str]:
        self.needed |= {each.name: type(each).__name__ for each in node.type_params}
        names = [each.name for each in node.type_params]
        node.type_params = []
        return names

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Drop its type parameters: only annotations use them."""
        self.generic_visit(node)
        self._parameters(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Drop its type parameters."""
        self.generic_visit(node)
        self._parameters(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Make a class with type parameters a Generic."""
        self.generic_visit(node)
        if names := self._parameters(node):
            self.needed["_Generic"] = "Generic"
            node.bases.append(ast.Subscript(ast.Name("_Generic"), ast.Tuple([ast.Name(name) for name in names])))
        return node

    def visit_TypeAlias(self, node: ast.TypeAlias) -> ast.AST:
        """Keep a type alias as a name."""
        self.needed["_Any"] = "Any"
        return ast.Assign([node.name], ast.Name("_Any"))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Write out what a str weighs: PyPy does not tell."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "__sizeof__":
            return ast.BinOp(ast.Call(ast.Name("len"), [node.func.value]), ast.Add(), ast.Constant(STR_BYTES))
        return node


def down_level(text: str) -> str:
    """Return a module's text for Python 3.11."""
    module, turn = ast.parse(text), DownLevel()
    turn.visit(module)
    body = [node for node in module.body if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]
    doc = [body.pop(0)] if ast.get_docstring(module, clean=False) is not None else []
    given = [node for name, kind in turn.needed.items() for node in ast.parse(GIVEN[kind].format(name=name)).body]
    module.body = [*doc, ast.ImportFrom("__future__", [ast.alias("annotations")], 0), *given, *body]
    return ast.unparse(ast.fix_missing_locations(module))


def files(tree: Path) -> Iterator[Path]:
    """Yield a tree's files that a soak may read, relative to it."""
    for path in sorted(tree.rglob("*")):
        relative = path.relative_to(tree)
        if path.is_file() and not any(part in LEFT_OUT or part.startswith(".") for part in relative.parts):
            yield relative


def main(tree: Path, to: Path) -> None:
    """Write the tree anew."""
    for relative in files(tree):
        written = to / relative
        written.parent.mkdir(parents=True, exist_ok=True)
        if relative.suffix != ".py":
            shutil.copy(tree / relative, written)
        else:
            written.write_text("" if relative.as_posix() in EMPTIED else down_level((tree / relative).read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
