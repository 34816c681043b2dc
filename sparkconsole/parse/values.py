"""Numbers, `WORD VALUE` lines and JSON objects as tools print them; what is none is None, whatever stands
there instead."""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Mapping
from typing import Any

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}\$?")
_PLAIN_IMAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+-]{0,511}")
_PLAIN_PATH = re.compile(r"/[^\x00-\x1f\x7f-\x9f\u2028\u2029]{0,1023}")
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


def plain_name(text: str) -> str:
    """A login, host, interface, device, unit or container as its node calls it.

    Empty for what could be an option, a command, or more than a word: it comes to stand in commands.
    """
    return text if _PLAIN_NAME.fullmatch(text) else ""


def plain_image(text: str) -> str:
    """The same of an image: its name or its id."""
    return text if _PLAIN_IMAGE.fullmatch(text) else ""


def plain_path(text: str) -> str:
    """A whole path; empty for anything else."""
    return text if _PLAIN_PATH.fullmatch(text) else ""


def plain_address(text: str) -> str:
    """An IP address; empty for anything else."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


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


def as_object(value: Any) -> Mapping[str, Any]:
    """A value of JSON where an object is wanted; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """A value of JSON where a list is wanted; empty for anything else."""
    return value if isinstance(value, list) else []


def as_number(value: Any) -> float | None:
    """JSON has NaN and infinity in Python's dialect, and true is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def as_count(value: Any) -> int | None:
    """What no counter of 64 bits can be is none."""
    found = as_number(value)
    return int(value) if found is not None and 0 <= found < 2**64 else None


def pairs(text: str) -> list[tuple[str, str]]:
    """The `WORD VALUE` lines; one without a value says nothing."""
    rows = (line.split(maxsplit=1) for line in text.splitlines())
    return [(r[0], r[1].strip()) for r in rows if len(r) == 2]


def yes_or_no(word: str) -> bool | None:
    """None for any other word."""
    return {"yes": True, "no": False}.get(word)
