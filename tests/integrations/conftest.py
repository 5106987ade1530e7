import pytest

from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner


@pytest.fixture
def project(tmp_path):
    """Write a project's files, by their paths; those without a folder or an ending are modules."""
    folder = tmp_path / "project"
    folder.mkdir()

    def write(tests="", **files):
        for name, text in {"test_it": tests, **files}.items():
            path = folder / (name if "." in name else f"{name}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    return write


@pytest.fixture
def run():
    """Run a project's tests, with those plugins only that `args` need; returns the recording."""

    def run(folder, recording=None, *, args=(), env=None, **more):
        recording = recording or Recording("unit", "code")
        # Each process would load a dozen of them otherwise.
        env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(env or {})}
        args = ("-p", "xdist.plugin", *args) if "-n" in args and env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] else args
        command = PytestCommand(project=str(folder), args=args, env=env, **more)
        PytestRunner(command).run(recording)
        return recording

    return run
