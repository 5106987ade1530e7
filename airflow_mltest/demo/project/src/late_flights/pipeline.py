"""The steps as commands: each prints what it does, and its result as one line of JSON at the end."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def make_features(data: Path, out: Path) -> dict[str, Any]:
    """Read the three sources in *data*, write `train.parquet` and `test.parquet` into *out*."""
    import pandas as pd

    from late_flights.features import build_features, split_by_time

    flights = pd.read_parquet(data / "flights.parquet")
    weather = pd.read_parquet(data / "weather.parquet")
    planes = pd.read_csv(data / "planes.csv")
    features = build_features(flights, weather, planes)
    train, test = split_by_time(features)
    out.mkdir(parents=True, exist_ok=True)
    paths = {"train": out / "train.parquet", "test": out / "test.parquet"}
    train.to_parquet(paths["train"], index=False)
    test.to_parquet(paths["test"], index=False)
    _say(f"{len(flights)} flights, {len(weather)} weather reports, {len(planes)} planes -> {len(features)} rows")
    return {
        **{part: str(path.resolve()) for part, path in paths.items()},
        "rows_train": len(train),
        "rows_test": len(test),
        "cancelled": len(flights) - len(features),
    }


def train_model(features: Path, name: str, *, labels: str, months: int | None, seed: int) -> dict[str, Any]:
    """Train on `train.parquet`, measure on `test.parquet`, register the model as a version of *name*."""
    import pandas as pd

    from late_flights.registry import register
    from late_flights.training import TREES, evaluate, first_months, fit

    train = pd.read_parquet(features / "train.parquet")
    test = pd.read_parquet(features / "test.parquet")
    if months is not None:
        train = first_months(train, months)
    _say(f"training on {len(train)} flights, labels {labels}")
    model = fit(train, seed=seed, shuffled=labels == "shuffled")
    metrics = evaluate(model, test)
    _say(f"measured on {len(test)} flights: {metrics}")
    params = {**TREES, "labels": labels, "months": months or "all", "seed": seed, "rows_train": len(train)}
    version = register(model, name, example=test, params=params, metrics=metrics)
    return {"model": name, "version": version, "uri": f"models:/{name}/{version}", "auc": round(metrics["auc"], 4)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it went well, 1 with a sentence on stderr if its input was bad, 2 for a wrong usage."""
    from late_flights.features import DataError

    arguments = vars(_parser().parse_args(argv))
    command = arguments.pop("command")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        result = command(**arguments)
    except FileNotFoundError as error:
        _say(f"late_flights: cannot find what to read: {error}")
        return 1
    except DataError as error:
        _say(f"late_flights: {error}")
        return 1
    print(json.dumps(result), flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="late_flights", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    features = commands.add_parser("features", help="join the sources to features, and split them by time")
    features.add_argument("--data", type=Path, required=True, help="folder of the three sources")
    features.add_argument("--out", type=Path, required=True, help="folder to write to")
    features.set_defaults(command=make_features)
    train = commands.add_parser("train", help="train a model and register it as a candidate")
    train.add_argument("--features", type=Path, required=True, help="folder that `features` wrote")
    train.add_argument("--model", dest="name", required=True, help="the registered model's name")
    train.add_argument("--labels", choices=["true", "shuffled"], default="true", help="shuffled: learn noise")
    train.add_argument("--months", type=_count, help="train on the first so many months only")
    train.add_argument("--seed", type=int, default=0)
    train.set_defaults(command=train_model)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        msg = f"{text!r} is not a count of months; 1 is the least"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
