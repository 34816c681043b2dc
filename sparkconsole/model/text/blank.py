"""Named blanks: what only the run can know stands in a plan as `‹what›`."""

from __future__ import annotations

import re

_BLANK = re.compile("‹([^‹›]+)›")


def blank(what: str) -> str:
    """The sign for what only the run can know: the same name is the same value, wherever it stands."""
    return f"‹{what}›"


def has_blank(text: str) -> bool:
    """A part of it is not known before."""
    return _BLANK.search(text) is not None
