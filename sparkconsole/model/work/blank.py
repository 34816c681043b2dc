"""Named blanks: what only the run can know stands in a plan under its name: `‹digest of vllm-node after
line 3›`. The same name is the same value, wherever it stands."""

from __future__ import annotations

import re

_BLANK = re.compile("‹([^‹›]+)›")


def blank(what: str) -> str:
    """The sign for a value that is not known before."""
    return f"‹{what}›"


def has_blank(text: str) -> bool:
    """A part of it is not known before."""
    return _BLANK.search(text) is not None
