import subprocess
import sys
import warnings
from pathlib import Path

from shop import plugins, settings
from shop.loader import backend

HERE = Path(__file__).parent


def test_data_file():
    assert (HERE / "data" / "prices.csv").read_text().splitlines()[1] == "tea,3"


def test_golden_file():
    assert "total 5\n" == (HERE / "golden" / "receipt.txt").read_text()


def test_file_read_at_import():
    assert settings.SETTINGS["currency"] == "EUR"


def test_import_by_string():
    assert backend("disk").store() == "on disk"


def test_subprocess():
    printed = subprocess.run([sys.executable, "-m", "shop.report"], cwd=HERE.parent, capture_output=True, text=True)
    assert printed.stdout == "total 5\n"


def test_plugin_folder():
    assert plugins.names() == ["gift", "sale"]


def test_that_warns():
    warnings.warn("old", UserWarning)
