"""One thing that logs are known to say."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sparkconsole.model.diagnosis import Kind, Weight


@dataclass(frozen=True, slots=True)
class Known:
    """`text`, `why` and `remedy` may name the pattern's groups: `{remote}`."""

    id: str
    pattern: re.Pattern[str]
    text: str
    why: str
    remedy: str
    example: str
    kind: Kind = Kind.CAUSE
    severity: Weight = Weight.ERROR


def cause(id: str, pattern: str, text: str, why: str, remedy: str, example: str) -> Known:  # noqa: A002
    """A line that says by itself what is wrong."""
    return Known(id, re.compile(pattern), text, why, remedy, example)


def warning(id: str, pattern: str, text: str, why: str, remedy: str, example: str) -> Known:  # noqa: A002
    """It works, and costs speed, time or safety."""
    return Known(id, re.compile(pattern), text, why, remedy, example, Kind.FACT, Weight.WARNING)


def fact(id: str, pattern: str, text: str, why: str, remedy: str, example: str) -> Known:  # noqa: A002
    """Good to know; it is wrong only together with something else, which is said too."""
    return Known(id, re.compile(pattern), text, why, remedy, example, Kind.FACT, Weight.INFO)


def end(id: str, pattern: str, text: str, why: str, remedy: str, example: str) -> Known:  # noqa: A002
    """Something ended: what was said before it says more."""
    return Known(id, re.compile(pattern), text, why, remedy, example, Kind.END)


def consequence(id: str, pattern: str, text: str, why: str, example: str) -> Known:  # noqa: A002
    """It follows from something that was said elsewhere."""
    remedy = "look for what was said before it, on the other nodes too"
    return Known(id, re.compile(pattern), text, why, remedy, example, Kind.CONSEQUENCE)


def harmless(id: str, pattern: str, why: str, example: str) -> Known:  # noqa: A002
    """It looks bad and is not; it is never shown."""
    return Known(id, re.compile(pattern), "", why, "", example, Kind.HARMLESS, Weight.INFO)
