"""Write `.env` beside `docker-compose.yaml`, with a new secret for each use that `.env.example` names."""  # noqa: INP001

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

HERE = Path(__file__).parent


def main(target: Path = HERE.parents[1] / ".env") -> None:
    """Write it, readable by its owner alone; what there is already is not touched."""
    lines = (HERE / ".env.example").read_text(encoding="utf-8").splitlines()
    names = [line.removesuffix("=") for line in lines if line.endswith("=")]
    text = "".join(f"{name}={_secret(name)}\n" for name in names)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _secret(name: str) -> str:
    if name == "FERNET_KEY":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)


if __name__ == "__main__":
    main()
