import os
import runpy
import shutil
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.integrations.git_repository import WorkTree

_SHARED = runpy.run_path(str(Path(__file__).parents[1] / "repositories.py"))
Repository, nobodys_configuration = _SHARED["Repository"], _SHARED["nobodys_configuration"]


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def contents(folder):
    """Read every file of a folder but git's own."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def test_root_is_the_top_level_and_prefix_the_way_from_there(repository, tmp_path):
    commit = repository.commit(pkg__sub__a_py="1")
    (tmp_path / "link").symlink_to(repository.folder / "pkg")

    for folder in (
        repository.folder / "pkg" / "sub",
        repository.folder / "pkg" / "sub" / "a.py",
        tmp_path / "link/sub",
    ):
        with WorkTree(folder) as tree:
            assert (tree.root, tree.prefix, tree.commit) == (repository.folder, "pkg/sub", commit)
    assert WorkTree(repository.folder).prefix == ""


def test_folder_without_git_is_its_own_root_and_has_no_history(tmp_path):
    (tmp_path / "sub" / "__pycache__").mkdir(parents=True)
    for path in ("a.py", "sub/b.csv", "sub/__pycache__/c.pyc"):
        (tmp_path / path).touch()

    tree = WorkTree(tmp_path / "sub")

    assert (tree.root, tree.prefix, tree.commit, tree.digest, tree.origin) == (tmp_path / "sub", "", None, "", "")
    assert tree.ancestors(5) == []
    assert WorkTree(tmp_path).paths() == {"a.py", "sub/b.csv"}
    for ask in (tree.changed, tree.changed_lines, tree.resolve, tree.merge_base):
        with pytest.raises(ConfigurationError, match=r"is in no git repository, it has no 'main': check it out"):
            ask("main")


def test_folder_that_its_repository_ignores_is_without_git_unless_something_in_it_is_tracked(repository):
    repository.write("env/lib/pkg/a.py")
    repository.write(".gitignore", "env\n")
    repository.commit()
    inside = repository.folder / "env" / "lib" / "pkg"

    assert WorkTree(inside).commit is None
    assert WorkTree(inside).root == inside

    repository.git("add", "--force", "env/lib/pkg/a.py")
    assert WorkTree(inside).root == repository.folder


def test_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere' is not there"):
        WorkTree(tmp_path / "nowhere")


def test_repository_before_its_first_commit_has_files_and_no_history(repository):
    repository.write("a.py")
    tree = WorkTree(repository.folder)

    assert (tree.commit, tree.digest, tree.ancestors(3), tree.paths()) == (None, "", [], {"a.py"})
    with pytest.raises(ConfigurationError, match="has no branch, tag or commit 'HEAD'"):
        tree.changed("HEAD")


def test_everything_that_differs_from_the_base_is_changed_and_nothing_else(repository):
    base = repository.commit(a_py="a", b_py="b", c_py="c", d_py="d", e_py="e", same_py="s", moved_py="m\n" * 9)
    repository.write(".gitignore", "*.log\n")
    repository.commit(a_py="committed")
    repository.write("b.py", "staged")
    repository.git("rm", "--quiet", "c.py")
    repository.git("mv", "moved.py", "new name.py")
    repository.git("add", "--all")
    repository.write("d.py", "in the work tree only")
    (repository.folder / "e.py").unlink()
    repository.write("untracked.csv")
    repository.write("ignored.log")
    os.utime(repository.folder / "same.py")

    tree = WorkTree(repository.folder)

    edited = {"a.py", "b.py", "c.py", "d.py", "e.py", "moved.py", "new name.py", "untracked.csv", ".gitignore"}
    assert tree.changed(base) == edited
    assert tree.changed("HEAD") == edited - {"a.py", ".gitignore"}
    assert tree.paths() == {"a.py", "b.py", "d.py", "same.py", "new name.py", "untracked.csv", ".gitignore"}


NAMES = st.text(
    st.sampled_from([*string.ascii_lowercase[:4], " ", '"', "\\", "\n", "\t", "é", ":", "*", "\udcff"]), min_size=1
)
EDITS = st.lists(
    st.tuples(st.sampled_from(["write", "delete", "stage", "commit"]), NAMES.map(lambda name: f"f{name}"), st.binary()),
    max_size=10,
)


@settings(max_examples=20, deadline=None)
@given(EDITS, EDITS)
def test_changed_and_read_tell_what_the_disk_tells_whatever_was_edited(tmp_path_factory, before, after):
    repository = Repository(tmp_path_factory.mktemp("edits"))

    def edit(edits):
        for kind, name, content in edits:
            if kind == "write":
                repository.write(name, content)
            elif kind == "delete":
                (repository.folder / name).unlink(missing_ok=True)
            elif kind == "stage":
                repository.git("add", "--all")
            else:
                repository.commit()

    edit(before)
    base, then = repository.commit(), contents(repository.folder)
    edit(after)
    now = contents(repository.folder)

    with WorkTree(repository.folder) as tree:
        assert tree.paths() == now.keys()
        assert tree.changed(base) == {name for name in then | now if then.get(name) != now.get(name)}
        assert {name: tree.read(base, name) for name in then | now} == {name: then.get(name) for name in then | now}


def test_what_was_no_file_reads_as_none_and_an_empty_file_does_not(repository):
    repository.write("target.txt", "t")
    (repository.folder / "link").symlink_to("target.txt")
    commit = repository.commit(folder__a_py="", big_py="line\n" * 100_000)

    with WorkTree(repository.folder / "folder") as tree:
        assert tree.read(commit, "folder/a.py") == b""
        assert tree.read(commit, "folder") is None
        assert tree.read(commit, "gone missing") is None
        assert tree.read(commit, "link") == b"target.txt"
        assert len(tree.read(commit, "big.py")) == 500_000
        assert tree.read("0" * 40, "big.py") is None


def test_changed_lines_are_those_of_the_work_tree(repository):
    base = repository.commit(a_py="1\n2\n3\n4\n", gone_py="x\n", shorter_py="1\n2\n", same_py="s\n")
    repository.commit(a_py="0\n1\n2\n3\n4\n")
    repository.write("a.py", "0\n1\n2\nthree\n4\n5")
    (repository.folder / "gone.py").unlink()
    repository.write("shorter.py", "1\n")
    repository.write("new\nname é.py", "1\n2")
    repository.write("rows.bin", b"\0\n\n")
    repository.write("empty.py", "")

    found = WorkTree(repository.folder).changed_lines(base)

    assert found == {
        "a.py": {1, 4, 6},
        "shorter.py": set(),
        "new\nname é.py": {1, 2},
        "rows.bin": set(),
        "empty.py": set(),
    }


def test_commit_is_found_by_branch_tag_commit_and_expression(repository):
    first = repository.commit(a_py="1")
    repository.git("tag", "light")
    repository.git("tag", "--annotate", "v1", "--message", "one")
    repository.git("branch", "release/1")
    second = repository.commit(a_py="2")
    tree = WorkTree(repository.folder)

    assert {tree.resolve(ref) for ref in ("light", "v1", "release/1", first[:8], first, "HEAD~1", "main^")} == {first}
    assert tree.resolve("main") == second
    assert tree.ancestors(10) == [second, first]
    assert tree.ancestors(1) == [second]
    assert tree.ancestors(9, start="v1") == [first]
    for ref in ("nobody", "f" * 40, "main:a.py"):
        with pytest.raises(ConfigurationError, match=r"has no branch, tag or commit .*fetch it \(`git fetch origin"):
            tree.resolve(ref)
    for ref in ("--all", " ", ""):
        with pytest.raises(ConfigurationError, match="cannot name a commit"):
            tree.resolve(ref)


def test_branch_that_was_only_fetched_is_found_at_origin(repository, tmp_path):
    commit = repository.commit(a_py="1")
    repository.git("branch", "feature")
    repository.git("clone", "--quiet", str(repository.folder), str(tmp_path / "clone"))
    tree = WorkTree(tmp_path / "clone")

    assert tree.resolve("feature") == tree.resolve("origin/feature") == commit


def test_shallow_clone_says_that_more_history_is_needed(repository, tmp_path):
    first = repository.commit(a_py="1")
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.commit(b_py="1")
    repository.git("checkout", "--quiet", "main")
    repository.commit(a_py="2")
    url = f"file://{repository.folder}"
    repository.git("clone", "--quiet", "--depth=1", "--no-single-branch", url, str(tmp_path / "shallow"))
    tree = WorkTree(tmp_path / "shallow")

    with pytest.raises(ConfigurationError, match="the clone is shallow, so fetch more history"):
        tree.resolve(first)
    with pytest.raises(ConfigurationError, match=r"no common ancestor in .* the clone is shallow"):
        tree.merge_base("feature")
    assert len(tree.ancestors(10)) == 1


def test_merge_base_is_where_two_branches_parted(repository):
    parted = repository.commit(a_py="1")
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.commit(b_py="1")
    repository.git("checkout", "--quiet", "main")
    repository.commit(a_py="2")
    repository.git("checkout", "--quiet", "--orphan", "stranger")
    repository.commit()
    tree = WorkTree(repository.folder)

    assert tree.merge_base("main", "feature") == parted
    with pytest.raises(ConfigurationError, match="'main' and 'HEAD' have no common ancestor"):
        tree.merge_base("main")


@pytest.mark.parametrize(
    "url, told",
    [
        ("https://me:secret@host.example/a/b.git", "https://host.example/a/b.git"),
        ("https://secret@host.example/a/b.git?token=secret", "https://host.example/a/b.git"),
        ("https://me:se%40cret@[::1]:8443/a", "https://[::1]:8443/a"),
        ("ssh://git:secret@host.example:22/a.git", "ssh://git@host.example:22/a.git"),
        ("ssh://git@host.example/a.git", "ssh://git@host.example/a.git"),
        ("git@host.example:a/b.git", "git@host.example:a/b.git"),
        ("/srv/git/a@b.git", "/srv/git/a@b.git"),
    ],
)
def test_origin_is_told_without_credentials(repository, url, told):
    repository.git("remote", "add", "origin", url)

    assert WorkTree(repository.folder).origin == told
    assert "secret" not in WorkTree(repository.folder).origin


def test_digest_is_the_commit_and_changes_with_every_difference_and_back_with_it(repository):
    repository.write(".gitignore", "*.log\n")
    commit = repository.commit(a_py="1", b_py="1")
    tree = WorkTree(repository.folder)

    def digest():
        return WorkTree(repository.folder).digest

    assert digest() == commit
    repository.write("c.log")
    assert digest() == commit
    seen = {commit}
    for change in (
        lambda: repository.write("a.py", "2"),
        lambda: repository.write("a.py", "3"),
        lambda: (repository.folder / "b.py").chmod(0o755),
        (repository.folder / "b.py").unlink,
        lambda: (repository.folder / "b.py").symlink_to("a.py"),
        lambda: repository.write("untracked"),
        lambda: (repository.folder / "untracked").rename(repository.folder / "renamed"),
    ):
        change()
        assert digest().startswith(f"{commit}+")
        assert digest() not in seen
        seen.add(digest())
    assert digest() == tree.digest
    repository.git("reset", "--quiet", "--hard")
    (repository.folder / "renamed").unlink()
    assert digest() == commit


def test_files_of_submodules_and_of_clones_within_are_files_of_the_tree(repository, tmp_path):
    library = Repository(tmp_path / "library")
    library.commit(lib__a_py="1", lib__b_py="1")
    repository.commit(main_py="1")
    before = repository.git("rev-parse", "HEAD")
    repository.git("submodule", "--quiet", "add", str(library.folder), "vendor/library")
    base = repository.commit()
    Repository(repository.folder / "clone within").commit(c_py="1")
    tree = WorkTree(repository.folder)

    assert tree.paths() == {
        ".gitmodules", "main.py", "vendor/library/lib/a.py", "vendor/library/lib/b.py", "clone within/c.py",
    }  # fmt: skip
    assert tree.changed(base) == {"clone within/c.py"}
    assert tree.changed(before) == tree.paths() - {"main.py"} | {"vendor/library"}

    repository.write("vendor/library/lib/a.py", "2")
    assert tree.changed(base) == {"clone within/c.py", "vendor/library", "vendor/library/lib/a.py"}
    inner = WorkTree(repository.folder / "vendor" / "library" / "lib")
    assert (inner.root, inner.prefix) == (repository.folder / "vendor" / "library", "lib")


def test_submodule_that_was_not_fetched_is_changed_as_one(repository, tmp_path):
    library = Repository(tmp_path / "library")
    library.commit(a_py="1")
    repository.git("submodule", "--quiet", "add", str(library.folder), "library")
    base = repository.commit()
    library.commit(a_py="2")
    repository.git("-C", "library", "pull", "--quiet", "origin", "main")
    repository.commit()
    repository.git("clone", "--quiet", str(repository.folder), str(tmp_path / "clone"))
    tree = WorkTree(tmp_path / "clone")

    assert tree.changed(base) == {"library"}
    assert tree.paths() == {".gitmodules"}


def test_linked_work_tree_is_one_like_any_other(repository, tmp_path):
    commit = repository.commit(a_py="1")
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), commit)
    (tmp_path / "linked" / "a.py").write_text("2")
    tree = WorkTree(tmp_path / "linked")

    assert (tree.root, tree.commit, tree.changed(commit)) == (tmp_path / "linked", commit, {"a.py"})


def test_folder_of_a_bare_repository_is_without_git(repository, tmp_path):
    repository.commit(a_py="1")
    repository.git("clone", "--quiet", "--bare", str(repository.folder), str(tmp_path / "bare"))

    assert WorkTree(tmp_path / "bare").commit is None


def test_no_program_that_a_repository_configures_is_started_and_nothing_is_written(repository, tmp_path):
    base = repository.commit(**{"a.py": "1\n", "b.csv": "1\n"})
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    spy.chmod(0o755)
    for option in (
        "core.fsmonitor",
        "diff.external",
        "core.pager",
        "pager.diff",
        "diff.csv.textconv",
        "diff.csv.command",
    ):
        repository.git("config", option, str(spy))
    for option, value in {
        "color.ui": "always", "diff.noprefix": "true", "diff.relative": "true", "diff.renames": "copies",
        "diff.context": "9", "diff.ignoreSubmodules": "all", "core.quotePath": "true", "diff.wordRegex": ".",
        "status.showUntrackedFiles": "no", "diff.mnemonicPrefix": "true", "diff.suppressBlankEmpty": "true",
    }.items():  # fmt: skip
        repository.git("config", option, value)
    repository.write(".git/info/attributes", "*.csv diff=csv\n")
    repository.write("a.py", "1\n2\n")
    repository.write("b.csv", "2\n")
    repository.write("é.py", "1")
    os.utime(repository.folder / "a.py", (1, 1))
    index = (repository.folder / ".git" / "index").read_bytes()

    with WorkTree(repository.folder) as tree:
        assert tree.changed(base) == {"a.py", "b.csv", "é.py"}
        assert tree.changed_lines(base) == {"a.py": {2}, "b.csv": {1}, "é.py": {1}}
        assert tree.digest
        assert tree.read(base, "b.csv") == b"1\n"
    assert not (tmp_path / "started").exists()
    assert (repository.folder / ".git" / "index").read_bytes() == index


def test_hook_of_another_repository_may_ask(repository, tmp_path, monkeypatch):
    commit = repository.commit(a_py="1")
    other = Repository(tmp_path / "other")
    other.commit()
    for name, value in {
        "GIT_DIR": ".git",
        "GIT_INDEX_FILE": ".git/index",
        "GIT_WORK_TREE": ".",
        "GIT_PREFIX": "x/",
    }.items():
        monkeypatch.setenv(name, str(other.folder / value) if name != "GIT_PREFIX" else value)
    tree = WorkTree(repository.folder)

    assert (tree.root, tree.commit, tree.changed("HEAD")) == (repository.folder, commit, set())


def test_without_git_a_folder_is_only_a_folder_and_a_commit_needs_git(repository, monkeypatch, tmp_path):
    repository.commit(a_py="1")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert WorkTree(repository.folder).commit is None
    with pytest.raises(ConfigurationError, match="git is not installed where this task runs"):
        WorkTree(repository.folder).changed("main")


def test_repository_that_is_damaged_says_so(repository):
    repository.commit(a_py="1")
    repository.write(".git/config", "[core\n")

    with pytest.raises(Exception, match=r"git cannot read .*bad config"):
        WorkTree(repository.folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_owner_of_the_project_is_trusted_with_its_repository_and_a_stranger_above_it_is_not(repository):
    commit = repository.commit(pkg__a_py="1")
    for path in (repository.folder, *repository.folder.rglob("*")):
        shutil.chown(path, 12345)

    assert WorkTree(repository.folder / "pkg").commit == commit
    assert WorkTree(repository.folder / "pkg").changed(commit) == set()

    shutil.chown(repository.folder / "pkg", os.geteuid())
    with pytest.raises(ConfigurationError, match=r"another user's than this task's: chown it, or `git config --global"):
        WorkTree(repository.folder / "pkg")
