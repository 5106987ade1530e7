"""The server that a check asks, the rows it is asked about, and what the model says of them itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from airflow_mltest.checks.columns import column_of
from airflow_mltest.checks.deployment.protocol import said_offline
from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from airflow_mltest.checks.deployment.process_tree import Process
    from airflow_mltest.checks.deployment.protocol import Answer
    from airflow_mltest.core.deployment import Deployment
    from airflow_mltest.core.ports import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """
    How a server ended that was asked to.

    Args:
        code: Exit code of its command, negative for a signal; None when it did not end.
        took_s: Seconds until all of it had ended, or until nobody waited any longer.
        left: How many of the processes that it had started were still there.
    """

    code: int | None
    took_s: float
    left: int


class Server(Protocol):
    """A model's server on this machine."""

    @property
    def deployment(self) -> Deployment:
        """How it was started."""

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""

    @property
    def last_words(self) -> str:
        """Say why it had to end, if it had to, and the last that it printed, as the end of a sentence."""

    @property
    def processes(self) -> list[Process]:
        """What lives of it."""

    def post(self, body: str | bytes, content_type: str = "application/json") -> Answer:
        """Send a body to where it takes rows.

        Raises:
            BrokenRunError: There was no answer.
        """

    def terminate(self) -> None:
        """Send SIGTERM to its command."""

    def ended(self, within_s: float) -> Stopped:
        """Wait until all of it has ended, but not longer."""

    def stop(self) -> None:
        """End it at once, and all that it has started."""


@dataclass(kw_only=True)
class DeploymentSubject:
    """
    What a deployment check's `run` is given.

    Args:
        model: The model, loaded here: what it says offline is what the server has to say.
        rows: What both are asked about.
        start: Starts the model's server, and gives it once it answers.
        seed: For everything that draws.
        on_progress: Told of long work: how much of it is done, of how much.
    """

    model: Model
    rows: pd.DataFrame
    start: Callable[[], Server]
    seed: int = 0
    on_progress: Callable[[int, int], None] = field(default=lambda *_: None, repr=False)
    _server: Server | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.rows.empty:
            msg = "there are no rows to ask the server about."
            raise ConfigurationError(msg)

    @property
    def server(self) -> Server:
        """The server; one that has died in an earlier check is started anew."""
        if self._server is not None and not self._server.alive:
            self.end()
        if self._server is None:
            self._server = self.start()
        return self._server

    def end(self) -> None:
        """End the server, if one runs."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    @property
    def features(self) -> pd.DataFrame:
        """The model's columns of all rows: those of its signature, in its order; without one, all."""
        if self.model.inputs is None:
            return self.rows
        for name in self.model.inputs:
            column_of(self.rows, name, "the data")
        return self.rows[list(self.model.inputs)]

    def drawn(self, count: int) -> pd.DataFrame:
        """Draw *count* rows of the model's columns, each at most once."""
        features = self.features
        return features.iloc[self.rng().permutation(len(features))[:count]]

    def rng(self) -> np.random.Generator:
        """Give a generator of this subject's seed: a check's luck does not depend on the others."""
        return np.random.default_rng(self.seed)

    def progress(self, done: int, total: int) -> None:
        """Tell how far long work is; as often as you like."""
        self.on_progress(done, total)

    def offline(self, rows: pd.DataFrame) -> Sequence[Any]:
        """
        Let the model answer *rows* here, in the words of JSON.

        Raises:
            ConfigurationError: It raised, or gave other than one answer a row.
        """
        try:
            # A copy: a model that writes into its input must not change what the server is asked.
            answers = said_offline(self.model.predict(rows.copy()))
        except Exception as error:
            msg = f"{self.model.uri} raised {type(error).__name__} offline, of {len(rows)} rows: {error}"
            raise ConfigurationError(msg) from error
        if len(answers) != len(rows):
            msg = f"{self.model.uri} gave {len(answers)} answers offline to {len(rows)} rows."
            raise ConfigurationError(msg)
        return answers
