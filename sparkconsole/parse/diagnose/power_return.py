"""A machine that was off or asleep and is back: what it said of that is past."""

from __future__ import annotations

from dataclasses import replace

from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight
from sparkconsole.parse.known.power import ASLEEP, OFF

_NOW = {ASLEEP: Weight.WARNING, OFF: Weight.INFO}


def past(one: Diagnosis) -> Diagnosis:
    """The same finding once the machine runs again; sleep may come back, so that it stays a warning."""
    now = _NOW.get(one.id)
    return one if now is None else replace(one, severity=now, kind=LineKind.FACT)
