"""Settings from a file of variables."""

from pathlib import Path


def mode():
    lines = Path("shop.env").read_text().split()
    return dict(line.split("=") for line in lines)["MODE"]


def beta():
    return Path("beta.flag").exists()
