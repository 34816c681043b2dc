"""What a Dockerfile says of the image before it is built."""

from __future__ import annotations

import shlex


def said_labels(text: str) -> dict[str, str]:
    """The labels of its last stage, as they are written: a `$` in one is filled in by the build."""
    found: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word.upper() == "FROM":
            found = {}
        if word.upper() == "LABEL":
            found |= _pairs(rest)
    return found


def _pairs(text: str) -> dict[str, str]:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)
