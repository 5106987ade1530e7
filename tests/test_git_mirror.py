import os
import runpy
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.git_command import Remote
from airflow_mltest.integrations.git_checkout import Checkouts
from airflow_mltest.integrations.git_repository import WorkTree

_SHARED = runpy.run_path(str(Path(__file__).parents[0] / "repositories.py"))
Repository, opener, wait_for = (_SHARED[name] for name in ("Repository", "opener", "wait_for"))
nobodys_configuration, repository, remote, checkouts, spy = (
    _SHARED[name] for name in ("nobodys_configuration", "repository", "remote", "checkouts", "spy")
)


def test_commit_that_is_here_needs_no_server_and_a_branch_is_asked_for(repository, remote, checkouts, spy):
    commit = repository.git("rev-parse", "HEAD")
    count = spy()

    with checkouts.open(remote, "main") as tree:
        assert tree.commit == commit
    assert count("fetch") == 1
    newer = repository.commit(a_py="2")
    with checkouts.open(remote, "main") as tree:
        assert tree.commit == newer
    assert count("fetch") == 2
    shutil.rmtree(repository.folder)
    with checkouts.open(remote, newer) as tree:
        assert (tree.folder / "a.py").read_text() == "2"
    with checkouts.open(remote, commit) as tree:
        assert (tree.folder / "a.py").read_text() == "1"
    assert count("fetch") == 2
    with pytest.raises(ConfigurationError, match="no repository is there"), checkouts.open(remote, "main"):
        pass


def test_commit_of_no_branch_is_fetched_by_itself_and_one_that_was_left_by_a_force_push_stays(
    repository, remote, checkouts
):
    first = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "--quiet", "--detach")
    head = repository.commit(a_py="pull request")
    repository.git("update-ref", "refs/pull/7/head", head)
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    repository.git("checkout", "--quiet", "main")
    forced = repository.commit(a_py="2")
    with checkouts.open(remote, "main"):
        pass
    repository.git("reset", "--quiet", "--hard", first)
    repository.commit(a_py="3")

    with checkouts.open(remote, head) as tree:
        assert (tree.folder / "a.py").read_text() == "pull request"
    with checkouts.open(remote, "main") as tree:
        assert (tree.folder / "a.py").read_text() == "3"
    with checkouts.open(remote, forced) as tree:
        assert (tree.folder / "a.py").read_text() == "2"


def test_branch_that_became_a_folder_of_branches_is_followed(repository, remote, checkouts):
    repository.git("branch", "release")
    with checkouts.open(remote, "release"):
        pass
    repository.git("branch", "--delete", "release")
    repository.git("branch", "release/1")

    with checkouts.open(remote, "release/1"):
        pass
    with (
        pytest.raises(ConfigurationError, match="has no branch, tag or commit 'release'"),
        checkouts.open(remote, "release"),
    ):
        pass


def test_task_that_is_killed_while_it_fetches_leaves_no_process_and_nothing_that_stops_the_next(
    repository, remote, checkouts, spy, tmp_path
):
    half = (
        'if [[ " $* " == *" fetch "* ]]; then mkdir -p "$GIT_DIR/objects/pack" "$GIT_DIR/refs/remotes/origin"; '
        'touch "$GIT_DIR/objects/pack/tmp_pack_1" "$GIT_DIR/packed-refs.lock" "$GIT_DIR/config.lock" '
        f'"$GIT_DIR/refs/remotes/origin/main.lock"; touch {tmp_path}/fetching; sleep 300; fi'
    )
    spy(half)
    task = opener(checkouts, remote, "main")
    wait_for((tmp_path / "fetching").exists)
    children = psutil.Process(task.pid).children(recursive=True)
    assert children
    task.send_signal(signal.SIGKILL)
    task.communicate()
    wait_for(lambda: not any(_SHARED["alive"](child) for child in children))

    spy()
    with checkouts.open(remote, "main") as tree:
        assert tree.commit == repository.git("rev-parse", "HEAD")
    assert not list(checkouts.folder.rglob("tmp_pack*"))
    assert not list((checkouts.folder / "mirrors").rglob("*.lock"))


def rewrite(pattern, content):
    """Make an accident: each file of a mirror that fits has another content from now on."""

    def happen(mirror):
        (file,) = mirror.glob(pattern)
        file.chmod(0o600)
        file.write_bytes(content(file.read_bytes()))

    return happen


@pytest.mark.parametrize(
    "accident, name",
    [
        (rewrite("objects/pack/*.pack", lambda was: was[:100]), "main"),
        (rewrite("objects/pack/*.pack", lambda was: was[:40] + bytes(len(was) - 80) + was[-40:]), "commit"),
        (rewrite("objects/pack/*.pack", lambda _: b""), "main"),
        (rewrite("objects/pack/*.idx", lambda was: was[:100]), "commit"),
        (rewrite("packed-refs", lambda was: was[:60]), "main"),
        (rewrite("packed-refs", lambda was: bytes(len(was))), "commit"),
        (rewrite("HEAD", lambda _: b""), "main"),
        (rewrite("config", lambda _: b"[co"), "commit"),
        (lambda mirror: [path.unlink() for path in mirror.glob("objects/pack/*.pack")], "main"),
        (lambda mirror: [path.unlink() for path in mirror.glob("objects/pack/*.idx")], "commit"),
        (lambda mirror: shutil.rmtree(mirror / "objects"), "main"),
        (lambda mirror: shutil.rmtree(mirror / "refs"), "commit"),
    ],
    ids=["short pack", "zeroed pack", "empty pack", "short index", "short refs", "zeroed refs", "empty head",
         "short config", "no pack", "no index", "no objects", "no refs"],
)  # fmt: skip
def test_mirror_that_is_damaged_is_mended_or_fetched_anew(repository, remote, checkouts, accident, name):
    for number in range(3):
        repository.write(f"big{number}.py", os.urandom(200).hex())
    commit = repository.commit()
    with checkouts.open(remote, commit):
        pass
    (mirror,) = (path for path in (checkouts.folder / "mirrors").iterdir() if path.is_dir())
    accident(mirror)

    with checkouts.open(remote, commit if name == "commit" else name) as tree:
        assert WorkTree(tree.folder).digest == commit


def test_mirrors_that_are_not_used_go_with_time_and_by_size_and_those_in_use_stay(tmp_path):
    remotes = []
    for name in ("old", "used", "new"):
        code = Repository(tmp_path / name)
        code.write("data.bin", os.urandom(50_000))
        code.commit()
        remotes.append(Remote(url=str(code.folder)))
    old, used, new = remotes
    folder = tmp_path / "checkouts"

    def kept():
        return {
            name
            for name in ("old", "used", "new")
            for path in (folder / "mirrors").glob(f"*-{name}-*")
            if path.is_dir()
        }

    def age(name, days):
        (lock,) = (folder / "mirrors").glob(f"*-{name}-*.use")
        os.utime(lock, (time.time() - days * 86400,) * 2)

    with Checkouts(folder=folder).open(old, "main"), Checkouts(folder=folder).open(used, "main"):
        age("old", 15)
        age("used", 15)
        with Checkouts(folder=folder).open(new, "main"):
            assert kept() == {"old", "used", "new"}
    age("old", 15)
    age("used", 13)
    with Checkouts(folder=folder).open(new, "main"):
        assert kept() == {"used", "new"}
    with Checkouts(folder=folder, most_bytes=150_000).open(new, "main"):
        assert kept() == {"used", "new"}
    with Checkouts(folder=folder, most_bytes=60_000).open(new, "main"):
        assert kept() == {"new"}
    assert sorted(path.suffix for path in (folder / "mirrors").iterdir()) == ["", ".use", ".write"]


def test_what_came_by_one_connection_is_not_for_another(repository, checkouts):
    commit, url = repository.git("rev-parse", "HEAD"), str(repository.folder)
    with checkouts.open(Remote(url=url, name="insider"), commit):
        pass
    shutil.rmtree(repository.folder)

    with checkouts.open(Remote(url=url, name="insider"), commit):
        pass
    with pytest.raises(ConfigurationError), checkouts.open(Remote(url=url, name="stranger"), commit):
        pass


def test_packs_of_many_fetches_become_few(repository, remote, checkouts, monkeypatch):
    monkeypatch.setattr("airflow_mltest.git_mirror._MANY_PACKS", 4)
    commits = []
    for number in range(7):
        commits.append(repository.commit(a_py=str(number)))
        with checkouts.open(remote, "main") as tree:
            assert tree.commit == commits[-1]

    assert len(list(checkouts.folder.rglob("*.pack"))) <= 5
    for number, commit in enumerate(commits):
        with checkouts.open(remote, commit) as tree:
            assert (tree.folder / "a.py").read_text() == str(number)


def test_repository_of_longer_hashes_is_checked_out(tmp_path, checkouts):
    folder = tmp_path / "long"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", "--object-format=sha256", "-b", "main", str(folder)], check=True)
    code = Repository(folder)
    commit = code.commit(a_py="1")

    with checkouts.open(Remote(url=str(folder)), commit) as tree:
        assert WorkTree(tree.folder).digest == commit
        assert len(commit) == 64
