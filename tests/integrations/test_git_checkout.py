import os
import runpy
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.git_command import Remote
from airflow_mltest.integrations.git_checkout import Checkouts
from airflow_mltest.integrations.git_repository import WorkTree

_SHARED = runpy.run_path(str(Path(__file__).parents[1] / "repositories.py"))
Repository, opener, wait_for = (_SHARED[name] for name in ("Repository", "opener", "wait_for"))
nobodys_configuration, repository, remote, checkouts, spy = (
    _SHARED[name] for name in ("nobodys_configuration", "repository", "remote", "checkouts", "spy")
)


def left(checkouts):
    """List the trees that are in use, or that nobody has tidied up; spare ones are neither."""
    files = sorted((checkouts.folder / "trees").glob("*"))
    return [file.name for file in files if not file.with_suffix(".spare").exists()]


def test_checkout_is_a_clean_tree_at_the_commit_by_whatever_name(repository, remote, checkouts):
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "--annotate", "v1", "--message", "one")
    repository.git("branch", "release/1")
    second = repository.commit(a_py="2")
    repository.write("a.py", "not committed")

    for name, commit in {
        first: first, second: second, "main": second, "v1": first, "release/1": first, first[:9]: first,
        "refs/heads/main": second, "refs/tags/v1": first, "origin/main": second, "main~1": first,
    }.items():  # fmt: skip
        with checkouts.open(remote, name) as tree:
            assert (tree.commit, tree.name) == (commit, str(repository.folder))
            assert (tree.folder / "a.py").read_text() == ("1" if commit == first else "2")
            assert WorkTree(tree.folder).digest == commit
    assert left(checkouts) == []


def test_checkout_knows_the_history_and_where_it_comes_from(repository, remote, checkouts):
    first = repository.git("rev-parse", "HEAD")
    repository.git("branch", "old")
    second = repository.commit(a_py="2")

    with checkouts.open(remote, second) as tree, WorkTree(tree.folder) as work:
        assert (work.commit, work.origin, work.root) == (second, str(repository.folder), tree.folder)
        assert work.ancestors(9) == [second, first]
        assert work.merge_base("old") == work.resolve("origin/old") == first
        assert (work.changed("old"), work.read(first, "a.py")) == ({"a.py"}, b"1")


@pytest.mark.parametrize("name", ["nobody", "f" * 40, "HEAD~99", "main:a.py"])
def test_commit_that_is_not_there_is_told(remote, checkouts, name):
    with pytest.raises(ConfigurationError, match=r"code has no branch, tag or commit .*: was it pushed\?"):
        checkouts.open(remote, name).__enter__()
    assert left(checkouts) == []


@pytest.mark.parametrize("name", ["", " ", "--all"])
def test_what_cannot_be_a_commit_is_refused(remote, checkouts, name):
    with pytest.raises(ConfigurationError, match="cannot name a commit of"), checkouts.open(remote, name):
        pass


def test_folder_in_the_repository_is_given_and_one_that_is_not_is_refused(remote, checkouts, tmp_path):
    with checkouts.open(remote, "main", path="tests") as tree:
        assert (tree.folder / "test_a.py").exists()
    with checkouts.open(remote, "main", path="tests/test_a.py") as tree:
        assert tree.folder.is_file()
    for path in ("nothing", "..", "/etc", "tests/../.."):
        with pytest.raises(ConfigurationError, match="there is no folder"), checkouts.open(remote, "main", path=path):
            pass
    assert left(checkouts) == []


def test_whatever_tests_do_to_their_tree_the_next_does_not_see(repository, remote, checkouts):
    with checkouts.open(remote, "main") as tree:
        here = Repository(tree.folder)
        (tree.folder / "a.py").write_text("dirty")
        (tree.folder / "new.py").write_text("dirty")
        (tree.folder / ".gitignore").write_text("*.pyc\n")
        here.git("config", "core.bare", "true")
        here.git("config", "core.bare", "false")
        here.git("config", "user.name", "Mallory")
        here.git("add", "--all")
        here.git("commit", "--quiet", "--message", "dirty")
        dirty_commit = here.git("rev-parse", "HEAD")
        here.git("branch", "--force", "main", "HEAD")
        here.git("update-ref", "refs/remotes/origin/main", "HEAD")
        here.git("gc", "--quiet", "--prune=now")
        (tree.folder / "locked" / "in").mkdir(parents=True)
        (tree.folder / "locked" / "in" / "file").touch()
        (tree.folder / "locked").chmod(0o500)

    with checkouts.open(remote, "main") as tree:
        assert sorted(path.name for path in tree.folder.iterdir()) == [".git", "a.py", "tests"]
        assert WorkTree(tree.folder).digest == repository.git("rev-parse", "HEAD") != dirty_commit
        assert "Mallory" not in (tree.folder / ".git" / "config").read_text()
    assert left(checkouts) == []


def test_next_task_gets_the_tree_of_one_that_is_done_and_only_what_differs_is_written_anew(
    repository, remote, checkouts
):
    repository.write("tool.sh", "#!/bin/sh\n").chmod(0o755)
    first = repository.commit(gone__a_py="1", same_py="1", kind_py="1")
    (repository.folder / "tool.sh").chmod(0o644)
    shutil.rmtree(repository.folder / "gone")
    (repository.folder / "kind.py").unlink()
    second = repository.commit(a_py="2", new__a_py="2", kind_py__a="now a folder")
    trees = {commit: pristine(repository, commit) for commit in (first, second)}
    before = None

    for commit in (first, first, second, first, second, second):
        with checkouts.open(remote, commit) as tree:
            assert state(tree.folder) == trees[commit]
            assert WorkTree(tree.folder).digest == commit
            now = (tree.folder, (tree.folder / "same.py").stat().st_ino)
        assert before in {None, now}
        before = now


def pristine(repository, commit):
    """Check a commit out as anybody does, and tell what is there then."""
    folder = repository.folder.parent / commit
    repository.git("clone", "--quiet", str(repository.folder), str(folder))
    repository.git("-C", str(folder), "checkout", "--quiet", commit)
    return state(folder)


def state(folder):
    """Tell everything of a tree but its `.git`: kinds, modes, contents."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name.partition("/")[0] != ".git":
            mode = path.lstat().st_mode
            content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
            found[name] = (mode, content)
    return found


FILES = st.sampled_from(["a.py", "d/b.py", "d/e/c.py", "link", "new.py", "d/new.py", "x/y/z.py"])


DIRT = st.lists(
    st.tuples(
        st.sampled_from(["write", "same size", "touch", "chmod", "delete", "folder", "link", "hardlink", "freeze"]),
        FILES,
    ),
    max_size=6,
)


@settings(max_examples=20, deadline=None)
@given(DIRT)
def test_whatever_is_done_to_a_tree_is_undone_for_the_next(tmp_path_factory, dirt):
    folder = tmp_path_factory.mktemp("dirt")
    repository = Repository(folder / "source" / "code")
    (repository.folder / "link").symlink_to("a.py")
    commit = repository.commit(a_py="1", d__b_py="1", d__e__c_py="1")
    remote, checkouts = Remote(url=str(repository.folder)), Checkouts(folder=folder / "checkouts")

    with checkouts.open(remote, commit) as tree:
        clean = state(tree.folder)
        for kind, name in dirt:
            with suppress(OSError):
                soil(tree.folder / name, kind)
    with checkouts.open(remote, commit) as again:
        assert state(again.folder) == clean
        assert WorkTree(again.folder).digest == commit
        assert again.folder == tree.folder


def soil(path, kind):
    if kind == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("dirty")
    elif kind == "same size":  # and the same time
        times = path.stat()
        path.write_text("2")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif kind == "touch":
        os.utime(path, (1, 1))
    elif kind == "chmod":
        path.chmod(0o777)
    elif kind == "delete":
        shutil.rmtree(path.parent) if path.parent.name == "d" else path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
        (path / "inside").touch()
    elif kind == "link":
        path.unlink()
        path.symlink_to("/etc")
    elif kind == "hardlink":
        os.link(path, path.with_name("hard"))
        path.with_name("hard").write_text("dirty")
    else:
        path.parent.chmod(0o500)


def test_spares_are_few_and_go_with_time_and_with_their_mirror(remote, checkouts):
    def spares():
        return list((checkouts.folder / "trees").glob("*.spare"))

    with ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(checkouts.open(remote, "main"))
    assert len(spares()) == 4
    for spare in spares():
        os.utime(spare, (time.time() - 3700,) * 2)
    with checkouts.open(remote, "main"):
        assert spares() == []
    shutil.rmtree(checkouts.folder / "mirrors")
    with checkouts.open(remote, "main"):
        assert spares() == []
    assert left(checkouts) == []


@pytest.mark.parametrize("kind, content", [("marks", "{"), ("marks", "{}"), ("index", "nothing"), ("index", None)])
def test_spare_that_is_damaged_is_made_anew(repository, remote, checkouts, kind, content):
    with checkouts.open(remote, "main"):
        pass
    (file,) = (checkouts.folder / "trees").glob(f"*.{kind}")
    file.unlink() if content is None else file.write_text(content)

    with checkouts.open(remote, "main") as tree:
        assert WorkTree(tree.folder).digest == repository.git("rev-parse", "HEAD")


def test_tasks_side_by_side_get_a_tree_each_and_fetch_once(repository, remote, checkouts, spy):
    commit, count = repository.git("rev-parse", "HEAD"), spy()

    with ThreadPoolExecutor(6) as pool:
        processes = [opener(checkouts, remote, commit, 0.3) for _ in range(6)]
        answers = list(pool.map(lambda process: process.communicate(timeout=120)[0], processes))

    assert answers == [f"{commit} 1\n"] * 6
    assert count("fetch") == 1
    assert left(checkouts) == []


def test_task_that_is_killed_with_its_tree_open_leaves_it_to_the_next_and_a_living_one_keeps_it(remote, checkouts):
    def trees():
        return len([path for path in (checkouts.folder / "trees").iterdir() if path.is_dir()])

    with opener(checkouts, remote, "main") as dead, opener(checkouts, remote, "main") as living:
        dead.stdout.readline(), living.stdout.readline()
        assert trees() == 2
        dead.kill()
        dead.wait()
        with checkouts.open(remote, "main"):
            assert trees() == 2
        living.kill()
        living.wait()
    with checkouts.open(remote, "main"):
        assert trees() == 1
    assert left(checkouts) == []


def test_task_may_be_killed_at_any_moment(repository, remote, checkouts):
    commit = repository.git("rev-parse", "HEAD")
    for delay_s in (0.15, 0.2, 0.25, 0.3, 0.35, 0.4):
        task = opener(checkouts, remote, commit)
        time.sleep(delay_s)
        task.kill()
        task.communicate()

        with checkouts.open(remote, commit) as tree:
            assert WorkTree(tree.folder).digest == commit
        # A git that the task had started may still be writing for a moment.
        wait_for(lambda: not checkouts._sweep() and left(checkouts) == [])
        shutil.rmtree(checkouts.folder / "mirrors")


def test_submodules_come_when_they_are_asked_for(repository, remote, checkouts, tmp_path, monkeypatch):
    library = Repository(tmp_path / "library")
    library.commit(lib_py="1")
    repository.git("submodule", "--quiet", "add", str(library.folder), "library")
    repository.commit()
    # Of a folder, git takes no submodules unasked.
    for name, value in {"COUNT": "1", "KEY_0": "protocol.file.allow", "VALUE_0": "always"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)

    with checkouts.open(remote, "main", submodules=True) as tree:
        assert (tree.folder / "library" / "lib.py").read_text() == "1"
        assert "library/lib.py" in WorkTree(tree.folder).paths()
    with checkouts.open(remote, "main") as tree:
        assert list((tree.folder / "library").iterdir()) == []


def test_full_disk_is_an_error_in_words_and_leaves_nothing(repository, remote, checkouts, spy):
    spy('if [[ " $* " == *" reset "* ]]; then echo "fatal: write error: No space left on device" >&2; exit 128; fi')

    with pytest.raises(BrokenRunError, match=r"the disk is full, .* or name another in \[mltest\]"):
        checkouts.open(remote, "main").__enter__()
    assert left(checkouts) == []


def test_cache_that_cannot_be_written_is_named(remote, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(BrokenRunError, match=r"cannot check main of .* out below .*file/checkouts"):
        Checkouts(folder=tmp_path / "file" / "checkouts").open(remote, "main").__enter__()


def test_error_of_the_body_is_not_touched_and_the_tree_goes(remote, checkouts):
    with pytest.raises(OSError, match="mine"), checkouts.open(remote, "main"):
        raise OSError(5, "mine")
    assert left(checkouts) == []
