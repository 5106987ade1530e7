"""A registry in memory, as honest as a real one: the same tests run on both."""

import pytest

from airflow_mltest.core.errors import ConfigurationError


class MemoryRegistry:
    """Models by name, version and alias, in dictionaries."""

    def __init__(self, versions):
        self._versions = {model: {version: {} for version in found} for model, found in versions.items()}
        self._aliases = {model: {} for model in versions}
        self.contents = {}
        self.calls = []
        self.dies_at = None

    def _called(self, name):
        self.calls.append(name)
        if self.dies_at is not None and len(self.calls) > self.dies_at:
            raise ConnectionError(name)

    def version_of(self, model, alias):
        self._called("version_of")
        if model not in self._aliases:
            msg = f"no model {model!r}"
            raise ConfigurationError(msg)
        return self._aliases[model].get(alias)

    def versions(self, model):
        self._called("versions")
        return sorted(self._versions.get(model, {}), key=int, reverse=True)

    def digest(self, model, version):
        self._called("digest")
        if version not in self._versions.get(model, {}):
            msg = f"no version {version!r}"
            raise ConfigurationError(msg)
        return f"sha256:{self.contents.get((model, version), version)}"

    def tags(self, model, version):
        self._called("tags")
        return dict(self._versions[model][version])

    def tag(self, model, version, tags):
        for key, value in tags.items():  # one request a tag, as MLflow's
            self._called("tag")
            self._versions[model][version][key] = value

    def point(self, model, alias, version):
        self._called("point")
        self._aliases[model][alias] = version


@pytest.fixture
def registry():
    return MemoryRegistry({"churn": ["1", "2", "3"]})
