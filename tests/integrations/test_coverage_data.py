import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mltest.core.errors import MissingExtraError
from airflow_mltest.integrations.coverage_data import _first_lines, combine

FILES = {
    "pyproject.toml": """
        [tool.pytest.ini_options]
        pythonpath = ["src"]
        [tool.coverage.run]
        branch = true
        source = ["src"]
        [tool.coverage.report]
        fail_under = 80
        precision = 1
    """,
    "src/shop/__init__.py": "",
    "src/shop/never.py": "VALUE = 1\n",
    "src/shop/price.py": '''
        """Prices."""


        def net(price, rate=0.2):
            """
            Take the tax off.

            Nothing else.
            """
            if rate < 0:
                raise ValueError(
                    "rate",
                )
            return round(
                price / (1 + rate),  # of the gross
                2,
            )


        def gross(price):  # pragma: no cover
            return price


        def total(prices):
            result = 0
            for price in prices:
                if price > 100:
                    result += price
                else:
                    result += price / 1
            return result
    ''',
    "tests/test_a.py": """
        from shop.price import net

        def test_net():
            assert net(12) == 10
    """,
    "tests/test_b.py": """
        from shop.price import total

        def test_total():
            assert total([1, 2]) == 3
    """,
}


def text_of(indented):
    lines = indented.removeprefix("\n").splitlines()
    depth = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    return "".join(f"{line[depth:]}\n" for line in lines).rstrip() + "\n" if lines else ""


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text_of(text), encoding="utf-8")
    return folder


def run(project, data, *tests, python=sys.executable):
    """Run tests as a shard does, and give the data that its processes have left."""
    data.mkdir(parents=True, exist_ok=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST", "MLTEST"))}
    ended = subprocess.run(
        [python, "-m", "coverage", "run", "--parallel-mode", f"--data-file={data}/.coverage", "-m", "pytest", "-q",
         "-p", "no:cacheprovider", *tests],
        cwd=project, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return sorted(data.glob(".coverage*"))


def reported(project, data):
    """Give what coverage.py's own commands say of one unsharded run."""
    target = data[0].with_name("whole")
    shutil.copy(data[0], target)
    out = target.with_name("whole.json")
    subprocess.run(
        [sys.executable, "-m", "coverage", "json", f"--data-file={target}", "-q", "-o", out, "--fail-under=0"],
        cwd=project, capture_output=True, check=True,
    )  # fmt: skip
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Make one project on two workers, and here; its two shards, and a run of all of it."""
    home = tmp_path_factory.mktemp("coverage")
    first, second, here = (write(home / where, FILES) for where in ("w1/jobs/7/shop", "w2/shop", "here"))
    return {
        "here": here,
        "roots": [str(first), str(second)],
        "shards": [*run(first, home / "d1", "tests/test_a.py"), *run(second, home / "d2", "tests/test_b.py")],
        "data": (data := run(here, home / "d3")),
        "whole": reported(here, data),
    }


@pytest.mark.parametrize("told", [True, False])
def test_two_shards_at_two_places_say_what_one_run_says(world, told):
    result = combine(world["shards"], folder=world["here"], roots=world["roots"] if told else ())

    totals = world["whole"]["totals"]
    assert result.percent == totals["percent_covered"]
    assert 0 < totals["percent_covered"] < 100
    assert totals["covered_branches"] > 0
    assert result.files == {
        path: round(found["summary"]["percent_covered"], 2) for path, found in world["whole"]["files"].items()
    }
    assert result.files["src/shop/never.py"] == 0
    assert (result.branch, result.fail_under, result.precision) == (True, 80, 1)
    assert (result.problems, result.change) == ((), None)


def test_data_are_where_they_were_and_nothing_is_written_into_the_project(world):
    before = {path: path.read_bytes() for path in world["shards"]}
    there = sorted(world["here"].rglob("*"))

    combine(world["shards"], folder=world["here"])

    assert {path: path.read_bytes() for path in world["shards"]} == before
    assert sorted(world["here"].rglob("*")) == there


def test_one_shard_alone_covers_less(world):
    result = combine(world["shards"][:1], folder=world["here"])

    assert 0 < result.percent < world["whole"]["totals"]["percent_covered"]


def line(world, text, path="src/shop/price.py"):
    lines = (world["here"] / path).read_text().splitlines()
    return next(number for number, content in enumerate(lines, start=1) if text in content)


def test_changed_lines_are_counted_by_the_statements_that_they_are_part_of(world):
    middle, message, big = line(world, "of the gross"), line(world, '"rate"'), line(world, "result += price")
    changed = {middle, middle + 1, message, big}

    change = combine(
        world["shards"], folder=world["here"], changed_lines={"src/shop/price.py": changed, "docs/a.md": {1}}
    ).change

    assert (change.statements, change.covered) == (3, 1)
    assert change.missing == {"src/shop/price.py": (message - 1, big)}
    assert change.unmeasured == ()


@pytest.mark.parametrize("text", ["Take the tax off", "Nothing else", "pragma: no cover", "    return price", "else:"])
def test_changed_line_without_a_statement_of_its_own_counts_nothing(world, text):
    changed = {"src/shop/price.py": {line(world, text)}}

    change = combine(world["shards"], folder=world["here"], changed_lines=changed).change

    assert (change.statements, change.covered, change.missing) == (0, 0, {})


def test_changed_lines_beyond_a_file_or_in_a_deleted_one_count_nothing(world):
    changed = {"src/shop/price.py": {999}, "src/shop/deleted.py": {1}}

    change = combine(world["shards"], folder=world["here"], changed_lines=changed).change

    assert (change.statements, change.unmeasured) == (0, ())


def test_changed_file_that_coverage_leaves_out_is_named(world):
    change = combine(world["shards"], folder=world["here"], changed_lines={"tests/test_a.py": {4}}).change

    assert (change.statements, change.unmeasured) == (0, ("tests/test_a.py",))


def test_statements_of_a_newer_python_are_taken_to_be_of_one_line(tmp_path):
    (tmp_path / "a.py").write_text("a = (\n    1,\n)\nb = (\n")

    assert _first_lines(tmp_path / "a.py") == {1: 1, 2: 1, 3: 1}
    assert _first_lines(tmp_path / "gone.py") == {}


def test_file_that_this_python_cannot_read_is_named_and_the_rest_counts(world, tmp_path):
    project = write(tmp_path / "p", FILES)
    (project / "src/shop/price.py").write_text("of another Python = ]\n")

    result = combine(world["data"], folder=project, changed_lines={"src/shop/price.py": {1}})

    assert sorted(result.files) == ["src/shop/__init__.py", "src/shop/never.py"]
    assert result.change.unmeasured == ("src/shop/price.py",)
    assert len(result.problems) == 1
    assert "Couldn't parse" in result.problems[0]
    assert "price.py" in result.problems[0]


def damage(path, how):
    content = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "text": b"no data" * 99,
            "torn": content[: len(content) // 2],
            "scratched": content[: -len(content) // 2] + b"\xff" * (len(content) // 2),
        }[how]
    )


@pytest.mark.parametrize("how", ["empty", "text", "torn", "scratched"])
@pytest.mark.parametrize("place", [0, 2])
def test_damaged_data_are_named_and_the_rest_still_counts(world, tmp_path, how, place):
    files = [Path(shutil.copy(path, tmp_path / path.name)) for path in world["shards"]]
    bad = Path(shutil.copy(files[0], tmp_path / "bad"))
    damage(bad, how)

    result = combine([*files[:place], bad, *files[place:]], folder=world["here"])

    assert result.percent == world["whole"]["totals"]["percent_covered"]
    assert len(result.problems) == 1
    assert result.problems[0].startswith("bad: ")


def test_data_that_are_gone_or_of_another_format_are_named(world, tmp_path):
    newer = Path(shutil.copy(world["shards"][0], tmp_path / "newer"))
    with sqlite3.connect(newer) as database:
        database.execute("update coverage_schema set version = 99")
    database.close()

    result = combine([tmp_path / "gone", newer, *world["shards"]], folder=world["here"])

    assert result.percent == world["whole"]["totals"]["percent_covered"]
    assert [problem.partition(":")[0] for problem in result.problems] == ["gone", "newer"]


def test_data_of_another_version_of_coverage_in_the_same_format_count(world, tmp_path):
    older = Path(shutil.copy(world["shards"][0], tmp_path / "older"))
    with sqlite3.connect(older) as database:
        database.execute("update meta set value = '7.0.0' where key = 'version'")
    database.close()

    result = combine([older, world["shards"][1]], folder=world["here"])

    assert (result.percent, result.problems) == (world["whole"]["totals"]["percent_covered"], ())


def test_lines_and_branches_are_not_mixed(world, tmp_path):
    project = write(tmp_path / "p", FILES)
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(text.replace("branch = true", "branch = false"))
    lines = run(project, tmp_path / "d")

    result = combine([*world["shards"], *lines], folder=world["here"])

    assert result.percent == world["whole"]["totals"]["percent_covered"]
    assert len(result.problems) == 1
    assert combine(lines, folder=project).branch is False


def test_nothing_to_combine_is_no_figure(tmp_path, world):
    assert combine([], folder=world["here"]).percent is None
    damaged = combine([tmp_path / "gone"], folder=world["here"], changed_lines={})
    assert (damaged.percent, len(damaged.problems), damaged.change) == (None, 1, None)


def test_measured_file_without_a_source_here_is_named_and_the_rest_counts(world, tmp_path):
    project = write(tmp_path / "p", FILES)
    (project / "src/shop/never.py").unlink()

    result = combine(world["data"], folder=project)

    assert sorted(result.files) == ["src/shop/__init__.py", "src/shop/price.py"]
    assert len(result.problems) == 1
    assert result.problems[0].startswith("src/shop/never.py: was measured, and there is no such file")


def test_modules_that_tests_wrote_into_temporary_folders_are_no_part_of_the_project(tmp_path):
    project = write(tmp_path / "p", {**FILES, "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['src']"})
    write(project, {"tests/test_c.py": """
        import runpy

        def test_script(tmp_path):
            (tmp_path / "made.py").write_text("X = 1")
            assert runpy.run_path(str(tmp_path / "made.py"))["X"] == 1
            (tmp_path / "made.py").unlink()
    """})  # fmt: skip

    result = combine(run(project, tmp_path / "d"), folder=project)

    assert "tests/test_c.py" in result.files
    assert not [path for path in result.files if "made" in path]
    assert (result.problems, result.fail_under) == ((), 0)


INI = """
[{0}run]
branch = true
source = src
omit = */never.py
[{0}report]
fail_under = 91.5
precision = 2
exclude_also =
    if rate
"""
TOML = """
[tool.coverage.run]
branch = true
source = ["src"]
omit = ["*/never.py"]
[tool.coverage.report]
fail_under = 91.5
precision = 2
exclude_also = ["if rate"]
"""
CONFIGURATIONS = {
    ".coveragerc": INI.format(""),
    "setup.cfg": INI.format("coverage:"),
    "tox.ini": INI.format("coverage:"),
    "pyproject.toml": TOML,
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configuration_of_the_project_counts_wherever_it_stands(tmp_path, name):
    files = {**FILES, "pyproject.toml": "[project]\nname = 'shop'", "conftest.py": "import sys\nsys.path.append('src')"}
    project = write(tmp_path / "p", files)
    (project / name).write_text(CONFIGURATIONS[name])
    data = run(project, tmp_path / "d")
    totals = reported(project, data)["totals"]
    moved = project.rename(tmp_path / "moved")

    result = combine(data, folder=moved)

    assert sorted(result.files) == ["src/shop/__init__.py", "src/shop/price.py"]
    assert (result.branch, result.fail_under, result.precision) == (True, 91.5, 2)
    assert result.percent == totals["percent_covered"]
    assert totals["excluded_lines"] == 4


@pytest.mark.parametrize("option", ["relative_files = true", "parallel = true", 'dynamic_context = "test_function"'])
def test_ways_of_recording_do_not_change_the_figure(world, tmp_path, option):
    text = text_of(FILES["pyproject.toml"]).replace("branch = true", f"branch = true\n{option}")
    places = [write(tmp_path / where, {**FILES, "pyproject.toml": text}) for where in ("a/shop", "b/c/shop")]
    data = [
        *run(places[0], tmp_path / "d1", "tests/test_a.py"),
        *run(places[1], tmp_path / "d2", "tests/test_b.py"),
    ]
    shutil.rmtree(places[1])

    result = combine(data, folder=places[0])

    assert (result.percent, result.problems) == (world["whole"]["totals"]["percent_covered"], ())


def test_processes_of_xdist_and_of_tests_are_one_figure(world, tmp_path):
    text = text_of(FILES["pyproject.toml"]).replace("branch = true", 'branch = true\npatch = ["subprocess"]')
    project = write(tmp_path / "p", {**FILES, "pyproject.toml": text})
    data = run(project, tmp_path / "d", "-n", "2")
    assert len(data) > 1

    result = combine(data, folder=project)

    assert (result.percent, result.problems) == (world["whole"]["totals"]["percent_covered"], ())


def test_paths_that_the_project_itself_calls_the_same_are_one_file(world, tmp_path):
    text = text_of(FILES["pyproject.toml"]) + '[tool.coverage.paths]\nsource = ["src", "*/installed"]\n'
    project = write(tmp_path / "p", {**FILES, "pyproject.toml": text})
    data = shutil.copy(world["data"][0], tmp_path / "data")
    with sqlite3.connect(data) as database:
        database.execute("update file set path = replace(path, ?, '/opt/installed')", (f"{world['here']}/src",))
    database.close()

    assert combine([data], folder=project).percent == world["whole"]["totals"]["percent_covered"]


def test_sources_beside_the_project_are_found_beside_it_here(tmp_path):
    lib = {"lib/extra.py": "def f():\n    return 1\n"}
    pyproject = (
        "[tool.pytest.ini_options]\npythonpath = ['../lib', 'src']\n[tool.coverage.run]\nsource = ['../lib', 'src']"
    )
    test = {"tests/test_c.py": "from extra import f\n\ndef test_f():\n    assert f() == 1\n"}
    for where in ("w", "here"):
        write(tmp_path / where, lib)
        write(tmp_path / where / "shop", {**FILES, "pyproject.toml": pyproject, **test})
    data = run(tmp_path / "w/shop", tmp_path / "d")
    shutil.rmtree(tmp_path / "w")

    result = combine(data, folder=tmp_path / "here/shop")

    assert result.files[str(tmp_path / "here/lib/extra.py")] == 100


def test_root_is_the_uppermost_where_a_file_could_be_in_several(tmp_path):
    """`src/a.py` and `a.py` are both files here, and one measured file must not decide for the wrong one."""
    pyproject = "[tool.pytest.ini_options]\npythonpath = ['src']\n[tool.coverage.run]\nsource = ['src']"
    files = {
        "src/one.py": "A = 1\n",
        "one.py": "A = 2\nB = 3\n",
        "test_it.py": "import one\n\ndef test_it():\n    assert one.A",
    }
    worker = write(tmp_path / "w", {**files, "pyproject.toml": pyproject})
    here = write(tmp_path / "here", {**files, "pyproject.toml": pyproject})

    assert list(combine(run(worker, tmp_path / "d"), folder=here).files) == ["src/one.py"]


def test_configuration_that_is_wrong_is_told_in_coverages_own_words(world, tmp_path):
    project = write(tmp_path / "p", {**FILES, "pyproject.toml": "[tool.coverage.run]\nbranch = 'perhaps'"})

    result = combine(world["shards"], folder=project)

    assert result.percent is None
    assert "branch" in result.problems[0]


def test_interpreter_without_coverage_or_that_is_not_there_is_told(world, tmp_path):
    gone = combine(world["shards"], folder=world["here"], python=str(tmp_path / "python"))
    assert gone.percent is None
    assert "No such file" in gone.problems[0]

    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    assert "No module named 'coverage'" in combine(world["shards"], folder=world["here"], python=str(bare)).problems[0]


def test_module_of_the_project_called_as_one_of_pythons_is_not_taken_for_it(world, tmp_path):
    project = write(tmp_path / "p", {**FILES, "json.py": "raise RuntimeError", "coverage.py": "raise RuntimeError"})

    assert combine(world["shards"], folder=project).percent == world["whole"]["totals"]["percent_covered"]


def test_plugin_of_the_project_is_found_in_it(world, tmp_path):
    text = text_of(FILES["pyproject.toml"]).replace("branch = true", 'branch = true\nplugins = ["tools.plug"]')
    plug = "import coverage\n\ndef coverage_init(reg, options):\n    reg.add_configurer(coverage.CoveragePlugin())\n"
    project = write(tmp_path / "p", {**FILES, "pyproject.toml": text, "tools/__init__.py": "", "tools/plug.py": plug})

    result = combine(world["shards"], folder=project)

    assert result.percent == world["whole"]["totals"]["percent_covered"], result.problems


def test_missing_library_names_its_extra(world, monkeypatch):
    monkeypatch.setitem(sys.modules, "coverage", None)

    with pytest.raises(MissingExtraError, match=r"airflow-mltest\[coverage\]"):
        combine(world["shards"], folder=world["here"])
