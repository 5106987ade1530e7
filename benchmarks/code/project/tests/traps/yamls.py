"""A plugin that makes a test of every line of a .sums file."""

import pytest

from shop.actions import act


def pytest_collect_file(parent, file_path):
    if file_path.suffix == ".sums":
        return SumsFile.from_parent(parent, path=file_path)
    return None


class SumsFile(pytest.File):
    def collect(self):
        for number, line in enumerate(self.path.read_text().splitlines()):
            yield SumItem.from_parent(self, name=f"line{number}", line=line)


class SumItem(pytest.Item):
    def __init__(self, *, line, **kwargs):
        super().__init__(**kwargs)
        self.line = line

    def runtest(self):
        action, one, other, result = self.line.split()
        assert act(action, int(one), int(other)) == int(result)

    def repr_failure(self, excinfo, style=None):
        return str(excinfo.value)
