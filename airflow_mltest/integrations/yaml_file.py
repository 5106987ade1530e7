"""PyYAML: the documents of a YAML or JSON file, and where it is wrong without a word of what it holds."""

from __future__ import annotations

import json
from typing import Any

from airflow_mltest.core.errors import ConfigurationError


def documents(path: Any) -> list[Any]:
    """
    Read a YAML file, which may hold several documents, or a JSON file.

    Args:
        path: A path: `pathlib`'s, or one of object storage.

    Raises:
        ConfigurationError: It cannot be read, or is no YAML or JSON; the line is told, and not what is on it,
            which may be a secret.
    """
    import yaml  # type: ignore[import-untyped]

    try:
        text = path.read_text(encoding="utf-8")
        # YAML knows no tabs.
        return [json.loads(text)] if path.suffix == ".json" else list(yaml.safe_load_all(text))
    except OSError as error:
        msg = f"it cannot be read: {error.strerror or error}"
        raise ConfigurationError(msg) from error
    except (yaml.YAMLError, ValueError) as error:
        line = getattr(error, "lineno", 0) or getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        msg = f"it is no YAML or JSON{f', see line {line}' if line else ''}"
        raise ConfigurationError(msg) from None
