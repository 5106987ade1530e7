"""The README's map is made of the modules' docstrings, and each module has its place on it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_mltest"


def first_line(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.strip().partition("\n")[0]


def lines_of_the_map():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```\nairflow_mltest/.*?```", text, re.DOTALL).group(0)
    folders, found = [], {}
    for line in block.splitlines()[1:-1]:
        match = re.fullmatch(r"(?P<indent>[| ]*)(?:[|`]-- )?(?P<name>[\w.]+/?)\s+(?P<says>.+)", line)
        assert match, line
        depth = len(match["indent"]) // 4 + ("-- " in line)
        folders[depth:] = [match["name"].rstrip("/")]
        found["/".join(folders)] = match["says"]
    return found


def test_every_line_of_the_map_is_the_first_line_of_its_docstring():
    for name, says in lines_of_the_map().items():
        path = ROOT / name
        assert first_line(path / "__init__.py" if path.is_dir() else path) == says, name


def test_every_module_of_a_room_that_is_drawn_whole_is_on_the_map():
    drawn = lines_of_the_map()
    for room in ("core", "reports", "integrations", "operators"):
        modules = {f"airflow_mltest/{room}/{path.name}" for path in (PACKAGE / room).glob("*.py")} - {
            f"airflow_mltest/{room}/__init__.py"
        }
        assert modules <= drawn.keys(), modules - drawn.keys()
    top = {f"airflow_mltest/{path.name}" for path in PACKAGE.glob("*.py")} - {"airflow_mltest/__init__.py"}
    assert top <= drawn.keys(), top - drawn.keys()
