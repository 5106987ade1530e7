import json
import os
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from airflow.dag_processing.bundles.base import BundleVersion
from airflow.providers.git.bundles.git import GitDagBundle
from airflow.sdk import DAG, BaseOperator
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mltest.core.errors import ConfigurationError, MissingExtraError
from airflow_mltest.hooks.git import Checkout, Repository
from airflow_mltest.integrations.git_remote import heads
from airflow_mltest.integrations.git_repository import WorkTree

_REPOSITORIES = runpy.run_path(str(Path(__file__).parents[1] / "repositories.py"))
SECRET = "s3cret"


@pytest.fixture
def code(tmp_path):
    return _REPOSITORIES["Repository"](tmp_path / "code")


@pytest.fixture
def connect(monkeypatch):
    def connect(conn_id="code", **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "git", **fields}))

    return connect


@pytest.fixture
def server(code, tmp_path):
    """Serve the code over HTTP to those who know the password."""
    code.commit(a_py="1")
    code.publish(tmp_path / "served" / "code.git")
    server = _REPOSITORIES["Server"](tmp_path / "served", password=SECRET)
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MLTEST__CHECKOUT_CACHE", str(tmp_path / "checkouts"))
    return tmp_path / "checkouts"


def test_repository_is_a_url_a_path_or_the_id_of_a_connection(connect, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    connect(host="/srv/code.git")
    home = str(Path.home())

    for name, url in {
        "https://host.example/a.git": "https://host.example/a.git",
        "git@host.example:a/b.git": "git@host.example:a/b.git",
        "/srv/a": "/srv/a",
        "./code": f"{tmp_path}/code",
        "../code": f"{tmp_path.parent}/code",
        "~/code": f"{home}/code",
        "code": "/srv/code.git",
    }.items():
        with Repository(name).remote() as remote:
            assert (remote.url, remote.name) == (url, "code" if name == "code" else "")


def test_connection_lets_git_in_and_nobody_else_sees_how(connect, server, tmp_path, monkeypatch):
    connect(host=f"{server.url}/code.git", login="me", password=SECRET)
    log = tmp_path / "log"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec /usr/bin/git "$@"\n')
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    before = dict(os.environ)

    with Repository("code").remote() as remote:
        assert dict(os.environ) == before
        assert list(heads(remote, "main")) == ["refs/heads/main"]
        assert SECRET not in repr(remote) + str(remote)

    assert dict(os.environ) == before
    assert SECRET not in log.read_text()
    assert server.refused == 1  # git asks without a password first


def test_connection_with_its_password_in_the_host_works_and_is_not_shown(connect, server):
    connect(host=f"{server.url}/code.git".replace("://", f"://me:{SECRET}@"))

    with Repository("code").remote() as remote:
        assert remote.url == f"{server.url}/code.git"
        assert heads(remote, "main")


@pytest.mark.parametrize("fields", [{"login": "me", "password": "wrong"}, {}])
def test_access_that_is_refused_says_what_to_check(connect, server, fields):
    connect(host=f"{server.url}/code.git", **fields)

    with Repository("code").remote() as remote, pytest.raises(ConfigurationError) as refused:
        heads(remote, "main")

    assert "cannot read the repository code (http://" in str(refused.value)
    assert "check the credentials of its Airflow connection" in str(refused.value)
    assert "wrong" not in str(refused.value)


def test_key_of_a_connection_is_a_file_for_as_long_as_it_is_needed(connect):
    connect(host="git@host.example:a/b.git", extra={"private_key": SECRET, "strict_host_key_checking": "yes"})

    with Repository("code").remote() as remote:
        command = remote.env["GIT_SSH_COMMAND"]
        (key,) = (Path(word) for word in command.split() if Path(word).is_file())
        assert key.read_text() == SECRET
        assert "StrictHostKeyChecking=yes" in command
    assert not key.exists()
    assert "GIT_SSH_COMMAND" not in os.environ


def test_connections_that_are_used_side_by_side_do_not_see_each_other(connect):
    for name in ("one", "two"):
        connect(name, host="https://host.example/x", login=name, password=f"{SECRET}-{name}")
    before, failures = dict(os.environ), []
    inside = threading.Barrier(2, timeout=30)

    def use(name, *, leaves_last):
        with Repository(name).remote() as remote:
            inside.wait()
            expected = (name, f"{SECRET}-{name}", "2")
            seen = tuple(remote.env[key] for key in ("AIRFLOW_GIT_USER", "AIRFLOW_GIT_TOKEN", "GIT_CONFIG_COUNT"))
            if seen != expected or dict(os.environ) != before:
                failures.append(seen)
            if leaves_last:
                left.wait(30)
        left.set()

    left = threading.Event()
    threads = [threading.Thread(target=use, args=(n,), kwargs={"leaves_last": n == "one"}) for n in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    assert dict(os.environ) == before


def test_connection_that_changed_is_read_anew_once_it_is_forgotten(connect):
    connect(host="/srv/old")
    repository = Repository("code")
    with repository.remote() as remote:
        assert remote.url == "/srv/old"
    connect(host="/srv/new")

    repository.forget()

    with repository.remote() as remote:
        assert remote.url == "/srv/new"


def test_connection_that_cannot_work_says_why(connect, monkeypatch):
    connect("empty")
    connect("both", host="git@h:x", extra={"private_key": "a", "key_file": "b"})

    for name, why in {
        "nobody": r"there is no connection 'nobody': create one of type git, or give a URL or a path \(`./nobody`\)",
        "empty": "connection 'empty' has no host: set it to the repository's URL",
        "both": "connection 'both' cannot work: Both 'key_file' and 'private_key'",
    }.items():
        with pytest.raises(ConfigurationError, match=why), Repository(name).remote():
            pass
    monkeypatch.setitem(sys.modules, "airflow.providers.git.hooks.git", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'airflow-mltest\[git\]'"), Repository("empty").remote():
        pass


def test_task_gets_a_clean_tree_below_the_folder_of_the_setting(connect, server, code, cache):
    connect(host=f"{server.url}/code.git", login="me", password=SECRET)

    with Checkout(repository="code", commit="main").open() as tree:
        assert (tree.folder / "a.py").read_text() == "1"
        assert (tree.commit, tree.name) == (code.git("rev-parse", "HEAD"), f"{server.url}/code.git")
        assert tree.folder.is_relative_to(cache)
        kept = subprocess.run(["grep", "-r", SECRET, str(cache)], capture_output=True, check=False)
        assert kept.stdout == b""
        server.down = True
        with Checkout(repository="code", commit="other").open(tree.commit) as again:
            assert WorkTree(again.folder).digest == tree.commit
    assert len(list((cache / "trees").glob("*.spare"))) == 2


class Op(BaseOperator):
    template_fields = ("project",)

    def __init__(self, *, project, **kwargs):
        super().__init__(**kwargs)
        self.project = project


def test_templates_are_rendered_where_a_checkout_is_the_value_of_a_templated_field():
    template = Checkout(repository="{{ params.repo }}", commit="{{ run_id }}", path="sub/{{ ds }}")
    checkout = Op(task_id="one", project=template)
    nested = Op(task_id="two", project=[{"x": template}])

    for run_id in ("a", "b"):
        context = {"params": {"repo": "./code"}, "run_id": run_id, "ds": "d"}
        for context_of_task in (context, {**context, "task": checkout}):
            for op in (checkout, nested):
                rendered = op.render_template(op.project, context_of_task)
                rendered = rendered if op is checkout else rendered[0]["x"]
                assert rendered == Checkout(repository="./code", commit=run_id, path="sub/d")
    assert template.commit == "{{ run_id }}"
    checkout.render_template_fields(context)
    assert checkout.project.commit == "b"


def test_checkout_is_told_the_same_at_every_parse_and_without_credentials():
    with DAG("d", schedule=None) as dag:
        Op(
            task_id="t",
            project=Checkout(repository=f"https://me:{SECRET}@host.example/x", commit="{{ run_id }}", path="p"),
        )

    (task,) = DagSerialization.to_dict(dag)["dag"]["tasks"]

    assert task["__var"]["project"] == "https://host.example/x at {{ run_id }}, p"
    with pytest.raises(ConfigurationError, match="give a URL without user and password"):
        Checkout(repository=f"https://me:{SECRET}@host.example/x", commit="main").open().__enter__()


@pytest.mark.parametrize("prune", [True, False])
def test_bundle_of_a_dag_is_a_work_tree_at_its_commit_as_it_is(code, tmp_path, monkeypatch, prune):
    """Airflow's own checkout needs none of ours, though its `.git` is gone."""
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "bundles"))
    first = code.commit(tests__test_a_py="1", gone_py="1")
    (code.folder / "gone.py").unlink()
    commit = code.commit(tests__test_a_py="2")
    newer = code.commit(tests__test_a_py="3")
    settings = {"repo_url": str(code.folder), "tracking_ref": "main", "prune_dotgit_folder": prune, "subdir": "tests"}
    bundle = GitDagBundle(name="code", version=commit, **settings)
    bundle.initialize()
    assert (bundle.path.parent / ".git").exists() != prune

    with WorkTree(bundle.path) as tree:
        assert bundle.get_current_version() == BundleVersion(version=tree.commit)
        assert (tree.commit, tree.digest, tree.prefix) == (commit, commit, "tests")
        assert tree.paths() == {"tests/test_a.py"}
        assert (tree.changed(first), tree.read(first, "gone.py")) == ({"tests/test_a.py", "gone.py"}, b"1")
        assert (tree.ancestors(9), tree.resolve("main"), tree.merge_base("main")) == ([commit, first], newer, commit)
        assert tree.origin == str(code.folder if prune else bundle.bare_repo_path)
        (bundle.path / "written.csv").touch()
        assert tree.changed("HEAD") == {"tests/written.csv"}
        assert tree.digest != commit
    assert WorkTree(bundle.path / "test_a.py").commit == commit


def test_folder_that_only_looks_like_a_bundle_is_without_git(code, tmp_path):
    code.commit(a_py="1")
    code.git("clone", "--quiet", "--bare", str(code.folder), str(tmp_path / "b" / "bare"))
    (tmp_path / "b" / "versions" / "nothing").mkdir(parents=True)

    assert WorkTree(tmp_path / "b" / "versions" / "nothing").commit is None
