"""Text that XML has a way to write."""

from __future__ import annotations

import re

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Replace what XML 1.0 has no way to write; what is written stays to be escaped."""
    return _NOT_XML.sub("\ufffd", str(text))
