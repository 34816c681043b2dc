"""The lines of JSON that a program prints among those of other tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def json_line(line: str) -> Mapping[str, Any] | None:
    """The object that the line is; None: another tool's line."""
    if not line.startswith("{"):
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
