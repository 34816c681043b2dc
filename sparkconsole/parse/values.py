"""Numbers, `WORD VALUE` lines and JSON objects as tools print them; what is none is None, whatever stands
there instead."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_WHOLE = {10: re.compile(r"[0-9]{1,19}"), 16: re.compile(r"[0-9A-Fa-f]{1,16}")}


def whole(text: str, base: int = 10) -> int | None:
    """A whole number without a sign, in ASCII digits, short enough to be one."""
    return int(text, base) if _WHOLE[base].fullmatch(text) else None


def number(cell: str) -> float | None:
    """A cell's number; None for `[N/A]`, `Not Supported`, `nan` and the like."""
    try:
        value = float(cell.strip().split(" ")[0])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def json_value(text: str) -> Any:
    """What the text is as JSON; ValueError where it is none, or is nested deeper than anybody would."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def json_object(text: str) -> dict[str, Any] | None:
    """The object that the text is."""
    try:
        data = json_value(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def pairs(text: str) -> list[tuple[str, str]]:
    """The `WORD VALUE` lines; one without a value says nothing."""
    rows = (line.split(maxsplit=1) for line in text.splitlines())
    return [(r[0], r[1].strip()) for r in rows if len(r) == 2]


def yes_or_no(word: str) -> bool | None:
    """None for any other word."""
    return {"yes": True, "no": False}.get(word)
