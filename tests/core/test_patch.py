import difflib
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.core.patch import new_lines

# Lines that look like a patch's own, and some that repeat.
LINES = st.sampled_from(
    ["", "a", "b", "-- a", "++ b/x.py", "@@ -1 +1 @@", "diff --git a/x b/x", "\\ no", "\x0c", "é\r"]
)


def patch_of(before, after, name="x.py"):
    """Spell a patch as git does, from what difflib says."""
    old, new = [f"{line}\n" for line in before], [f"{line}\n" for line in after]
    hunks = "".join(list(difflib.unified_diff(old, new, n=0))[2:])
    return (
        f"diff --git a/{name} b/{name}\nindex 1..2 100644\n--- a/{name}\n+++ b/{name}\n{hunks}".encode()
        if hunks
        else b""
    )


def expected(before, after):
    changes = difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes()
    return {line for kind, _, _, start, end in changes if kind != "equal" for line in range(start + 1, end + 1)}


@given(st.lists(LINES, max_size=8), st.lists(LINES, max_size=8), st.lists(LINES, max_size=8))
def test_new_lines_of_each_file_are_those_that_a_diff_names_whatever_they_say(before, after, other):
    found = dict(new_lines(patch_of(before, after) + patch_of(after, other, "y.py")))

    wanted = {"x.py": (before, after), "y.py": (after, other)}
    assert found == {name: expected(*both) for name, both in wanted.items() if both[0] != both[1]}


NAMES = st.text(st.characters(codec="latin-1", exclude_characters="\0/"), min_size=1, max_size=8).filter(
    lambda name: name not in {".", ".."} and name.lower() != ".git"
)


@settings(max_examples=25, deadline=None)
@given(NAMES)
def test_any_name_that_git_spells_is_read_back(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("odd")
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    for side, text in (("a", "1\n2\n"), ("b", "1\n3\n4\n")):
        (folder / side / name).write_text(text)

    diff = subprocess.run(
        ["git", "diff", "--no-index", "--no-prefix", "--unified=0", "a", "b"],
        cwd=folder,
        capture_output=True,
        check=False,
    )

    assert dict(new_lines(diff.stdout)) == {name: {2, 3}}


def test_file_that_only_lost_lines_has_no_new_one_and_no_patch_no_file():
    assert dict(new_lines(patch_of(["a", "b"], ["a"]))) == {"x.py": set()}
    assert list(new_lines(b"")) == []
