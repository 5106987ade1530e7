"""A registry in memory: an honest one, and one that dies half-way."""

import hashlib

from airflow_mltest.core.errors import ConfigurationError


class MemoryRegistry:
    """Models by name, version and alias, in dictionaries; under the same contract test as MLflow's."""

    def __init__(self):
        self._artifacts = {}
        self._tags = {}
        self._aliases = {}

    def register(self, model, artifacts):
        """Add a version, with *artifacts* (bytes) as its content; gives its number."""
        version = str(len(self._artifacts.setdefault(model, {})) + 1)
        self._artifacts[model][version] = artifacts
        self._tags[model, version] = {}
        return version

    def overwrite(self, model, version, artifacts):
        """Change a version's content, as registries allow."""
        self._find(model, version)
        self._artifacts[model][version] = artifacts

    def version_of(self, model, alias):
        if model not in self._artifacts:
            msg = f"no model {model!r}"
            raise ConfigurationError(msg)
        return self._aliases.get((model, alias))

    def versions(self, model):
        return sorted(self._artifacts.get(model, ()), key=int, reverse=True)

    def digest(self, model, version):
        return f"sha256:{hashlib.sha256(self._find(model, version)).hexdigest()}"

    def tags(self, model, version):
        self._find(model, version)
        return dict(self._tags[model, version])

    def tag(self, model, version, tags):
        self._find(model, version)
        self._tags[model, version].update(tags)

    def point(self, model, alias, version):
        self._find(model, version)
        self._aliases[model, alias] = version

    def _find(self, model, version):
        try:
            return self._artifacts[model][version]
        except KeyError as error:
            msg = f"no model {model!r} version {version!r}"
            raise ConfigurationError(msg) from error


class DiedError(Exception):
    """The process that was talking to the registry is no more."""


class MortalRegistry:
    """
    Whoever talks to it dies at a given step; each tag is a step of its own, as it is in MLflow.

    Args:
        registry: Where steps are carried out.
        steps: How many are; at the next one, the caller dies.
    """

    def __init__(self, registry, steps):
        self._registry = registry
        self._left = steps

    def __getattr__(self, name):
        def step(*args):
            if not self._left:
                raise DiedError
            self._left -= 1
            return getattr(self._registry, name)(*args)

        return step

    def tag(self, model, version, tags):
        for key, value in tags.items():
            self.__getattr__("tag")(model, version, {key: value})
