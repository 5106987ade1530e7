"""A registry in memory: an honest one, and one that dies half-way."""

import hashlib

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError


class MemoryRegistry:
    """Models by name, version and alias, in dictionaries; under the same contract test as MLflow's."""

    def __init__(self):
        self._artifacts = {}
        self._tags = {}
        self._aliases = {}
        self._model_tags = {}

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
        self._have(model)
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

    def unpoint(self, model, alias):
        self.version_of(model, alias)
        self._aliases.pop((model, alias), None)

    def model_tags(self, model):
        self._have(model)
        return dict(self._model_tags.get(model, {}))

    def tag_model(self, model, key, value):
        self._have(model)
        tags = self._model_tags.setdefault(model, {})
        if value is None:
            tags.pop(key, None)
        else:
            tags[key] = value

    def copy(self, model, version, to, tags):
        artifacts = self._find(model, version)
        for number in self.versions(to):
            if tags.items() <= self._tags[to, number].items():
                return number
        copied = self.register(to, artifacts)
        self._tags[to, copied] = dict(tags)
        return copied

    def _have(self, model):
        if model not in self._artifacts:
            msg = f"no model {model!r}"
            raise ConfigurationError(msg)

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


class FaultyRegistry:
    """
    One call fails; those after it are answered again, or are not.

    Args:
        registry: Where calls are carried out.
        at: Which call fails, counted from 0.
        carried_out: Whether that one is carried out before its answer is lost.
        down: Whether nothing is answered from then on.
    """

    def __init__(self, registry, at, *, carried_out=False, down=False):
        self._registry = registry
        self._at, self._carried_out, self._down = at, carried_out, down
        self.calls = []

    def __getattr__(self, name):
        def call(*args):
            number = len(self.calls)
            self.calls.append(name)
            if number == self._at and self._carried_out:
                getattr(self._registry, name)(*args)
            if number == self._at or (self._down and number > self._at):
                msg = f"no answer to {name}."
                raise BrokenRunError(msg)
            return getattr(self._registry, name)(*args)

        return call
