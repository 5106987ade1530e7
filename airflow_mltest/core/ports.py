"""The outside world, as the core sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

    import numpy as np

    from airflow_mltest.core.outcome import Case


class Check(Protocol):
    """
    A question that can be asked of a subject: any frozen dataclass with `run` is one.

    A check may also have a `name`; without one its class's name is used. What `run` raises
    makes its case broken, and the other checks still run.
    """

    def run(self, subject: Any) -> Case:
        """Answer the question for *subject*."""


class Model(Protocol):
    """Something that answers rows of a table."""

    @property
    def uri(self) -> str:
        """Where it came from, as `models:/name/3`; a name where it came from nowhere."""

    @property
    def inputs(self) -> Mapping[str, str] | None:
        """The columns it takes and their types, by name, in its order; None without a signature."""

    def predict(self, rows: Any) -> Any:
        """Answer a data frame of n rows with n labels or numbers: an array, a list, a series, a frame of one column."""

    def scores(self, rows: Any) -> np.ndarray | None:
        """Answer with probabilities, shape (n, classes); None if the model gives none."""


class StoredModel(Model, Protocol):
    """A model that has been kept somewhere."""

    @property
    def created_at(self) -> datetime | None:
        """When it was made, aware; None if nobody knows."""

    def again(self) -> AbstractContextManager[Model]:
        """Save it anew, and load what was saved, as long as the body runs."""


class Registry(Protocol):
    """
    Models by name, version and alias. Versions are strings, as users see them.

    Nothing here compares before it sets, and every step may be the last: what is written can be
    repeated, and a failure says whether it may have been carried out.
    """

    def version_of(self, model: str, alias: str) -> str | None:
        """Say to which version *alias* points; None when the model exists and the alias does not.

        Raises:
            ConfigurationError: There is no such model.
        """

    def versions(self, model: str) -> list[str]:
        """List the versions of *model*, newest first; empty when there is no such model."""

    def digest(self, model: str, version: str) -> str:
        """Hash the version's artifacts: `sha256:` and 64 hex digits.

        Raises:
            ConfigurationError: There is no such version.
        """

    def tags(self, model: str, version: str) -> Mapping[str, str]:
        """Give the tags of a version."""

    def tag(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Set several tags of a version, one after the other; those that it has otherwise stay."""

    def point(self, model: str, alias: str, version: str) -> None:
        """Let *alias* point at *version*, wherever it pointed before."""

    def unpoint(self, model: str, alias: str) -> None:
        """Let *alias* point nowhere; it may do so already."""

    def model_tags(self, model: str) -> Mapping[str, str]:
        """Give the tags of the model itself."""

    def tag_model(self, model: str, key: str, value: str | None) -> None:
        """Set a tag of the model itself; None takes it away, where it is there."""

    def copy(self, model: str, version: str, to: str, tags: Mapping[str, str]) -> str:
        """
        Make a version of the model *to* that has the artifacts of a version, and give its number.

        Args:
            model: The model to copy from.
            version: Its version.
            to: The model to copy to; made where it is not there.
            tags: All tags of the new version, set as it is made. Where a version of *to* has all of them
                already, it is the copy: nothing is made twice.
        """
