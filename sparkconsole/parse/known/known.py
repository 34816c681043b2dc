"""One thing that programs are known to say: the entry of the catalogue that all faces read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from sparkconsole.model.logs.diagnosis import LineKind, Weight


class During(StrEnum):
    """What was being done: a remedy may be another one then."""

    BUILD = "build"
    COPY = "copy"
    LAUNCH = "launch"
    SERVE = "serve"


@dataclass(frozen=True, slots=True)
class NumberMeaning:
    """What a number means that a line gives."""

    name: str
    words: str
    victim: bool = False
    """It follows from something else."""
    remedy: str = ""
    """Empty: the entry's own."""
    id: str = ""
    """A finding of its own; empty: the entry's."""
    why: str = ""
    """Of what it follows; empty: in general."""

    @property
    def text(self) -> str:
        """`RETRY_EXC_ERR: the other end did not acknowledge`."""
        return f"{self.name}: {self.words}" if self.words else self.name


@dataclass(frozen=True, slots=True)
class KnownCause:
    """`text`, `why` and `remedy` may name the pattern's groups: `{remote}`.

    Alternatives that name the same thing number their groups: `(?P<path2>…)` is read as `path`.
    """

    pattern: re.Pattern[str]
    text: str
    why: str
    remedy: str
    example: str
    kind: LineKind
    severity: Weight
    calm: bool
    """It means what it says even where its logger only informs."""
    numbers: Mapping[str, Mapping[str, NumberMeaning]]
    """Tables by the group whose number they read: `{status_means}` tells what `status` means."""
    remedies: Mapping[During, str]
    """Where another remedy fits better than `remedy`."""
    id: str = ""
    """Its key in the table of its file."""


def cause(
    pattern: str,
    text: str,
    why: str,
    remedy: str,
    example: str,
    *,
    kind: LineKind = LineKind.CAUSE,
    severity: Weight = Weight.ERROR,
    calm: bool = False,
    numbers: Mapping[str, Mapping[str, NumberMeaning]] | None = None,
    remedies: Mapping[During, str] | None = None,
) -> KnownCause:
    """A line that says by itself what is wrong."""
    compiled = re.compile(pattern)
    return KnownCause(
        compiled, text, why, remedy, example, kind, severity, calm, numbers or {}, remedies or {}
    )


warning = partial(cause, kind=LineKind.FACT, severity=Weight.WARNING)
"""It works, and costs speed, time or safety."""
fact = partial(cause, kind=LineKind.FACT, severity=Weight.INFO)
"""Good to know; it is wrong only together with something else, which is said too."""
end = partial(cause, kind=LineKind.END)
"""Something ended: what was said before it says more."""


def consequence(pattern: str, text: str, why: str, example: str) -> KnownCause:
    """It follows from something that was said elsewhere."""
    remedy = "look for what was said before it, on the other nodes too"
    return cause(pattern, text, why, remedy, example, kind=LineKind.CONSEQUENCE)


def harmless(pattern: str, why: str, example: str) -> KnownCause:
    """It looks bad and is not; it is never shown."""
    return cause(pattern, "", why, "", example, kind=LineKind.HARMLESS, severity=Weight.INFO)
