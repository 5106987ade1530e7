"""Real repositories for the tests of git."""

import base64
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from airflow_mltest.git_command import Remote
from airflow_mltest.integrations.git_checkout import Checkouts

# The author's own configuration must not decide whether a test passes.
ENV = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "A"), ("EMAIL", "a@b"))
    },
}


class Repository:
    """A work tree on the branch `main`, with no commit yet."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        # Submodules in tests are folders, which git no longer clones unasked.
        self.git("config", "protocol.file.allow", "always")

    def git(self, *args):
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *args],
            cwd=self.folder,
            env=ENV,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (args, done.stderr.decode())
        return os.fsdecode(done.stdout).strip()

    def write(self, path, content="x\n"):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def commit(self, **files):
        """Commit everything; a file's name may spell `__` for `/` and `_py` for `.py`."""
        for name, content in files.items():
            self.write(name.replace("__", "/").replace("_py", ".py"), content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def publish(self, folder):
        """Make a bare copy that any web server can serve, or bring it up to date."""
        self.git("init", "--quiet", "--bare", str(folder))
        self.git("push", "--quiet", "--mirror", str(folder))
        self.git("--git-dir", str(folder), "update-server-info")


class Server:
    """
    A folder of repositories over HTTP, for those who know the password; it counts who asks for heads.

    Args:
        folder: Its repositories are served as they are, by their names.
        password: Of the user `me`; empty: nobody is asked.
    """

    def __init__(self, folder, password=""):
        self.looks, self.refused, self.down = 0, 0, False
        expected = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=str(folder))

            def do_GET(self):
                if server.down:
                    self.send_error(503)
                elif password and self.headers.get("Authorization") != expected:
                    server.refused += 1
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="code"')
                    self.end_headers()
                else:
                    server.looks += "/info/refs" in self.path
                    super().do_GET()

            def log_message(self, *_):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class Spy:
    """
    A git before the real one on the path, that writes down its commands.

    Called with a script, it does that first from then on; it gives a counter of commands by a word in them.
    """

    def __init__(self, folder, monkeypatch):
        self._folder, self._log = folder / "spy", folder / "commands"
        self._real = shutil.which("git")
        self._folder.mkdir()
        self._log.touch()
        monkeypatch.setenv("PATH", str(self._folder), prepend=os.pathsep)

    def __call__(self, script=""):
        git = self._folder / "git"
        git.write_text(f'#!/bin/bash\necho "$*" >> {self._log}\n{script}\nexec {self._real} "$@"\n')
        git.chmod(0o755)
        return lambda word: len(re.findall(rf" {word} ", self._log.read_text()))


OPEN = """
import sys, time
from pathlib import Path
from airflow_mltest.git_command import Remote
from airflow_mltest.integrations.git_checkout import Checkouts
with Checkouts(folder=Path(sys.argv[1])).open(Remote(url=sys.argv[2]), sys.argv[3]) as tree:
    print(tree.commit, (tree.folder / "a.py").read_text().strip(), flush=True)
    time.sleep(float(sys.argv[4]))
"""


def opener(checkouts, remote, commit, seconds=60.0):
    command = [sys.executable, "-c", OPEN, str(checkouts.folder), remote.url, commit, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for(condition, seconds=60):
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# Fixtures, for the modules that take them into their own namespace.


@pytest.fixture(autouse=True)
def nobodys_configuration(monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def code(tmp_path):
    code = Repository(tmp_path / "code")
    code.commit(a_py="1")
    return code


@pytest.fixture
def repository(tmp_path):
    repository = Repository(tmp_path / "source" / "code")
    repository.commit(a_py="1", tests__test_a_py="assert 1")
    return repository


@pytest.fixture
def remote(repository):
    return Remote(url=str(repository.folder))


@pytest.fixture
def checkouts(tmp_path):
    return Checkouts(folder=tmp_path / "checkouts")


@pytest.fixture
def spy(tmp_path, monkeypatch):
    return Spy(tmp_path, monkeypatch)
