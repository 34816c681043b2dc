"""Why something failed, by the failed program's own words and the catalogue that `explain` reads too."""

from __future__ import annotations

from dataclasses import dataclass

from sparkconsole.model.logs.diagnosis import LineKind, first_error
from sparkconsole.parse.diagnose.line import diagnose
from sparkconsole.parse.diagnose.log_frame import framed
from sparkconsole.parse.known import During


@dataclass(frozen=True, slots=True)
class Cause:
    """What is wrong and what to do, for what was being done."""

    id: str
    text: str
    remedy: str


def cause_of(text: str, during: During) -> Cause | None:
    """The first known cause in what a program said; None: nothing known, or only what follows from one."""
    found = [one for line in text.splitlines() if (one := diagnose(framed(line), during))]
    root = first_error(found)
    return (
        Cause(root.id, root.text, root.remedy) if root is not None and root.kind is LineKind.CAUSE else None
    )
