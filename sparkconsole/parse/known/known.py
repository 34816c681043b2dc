"""One thing that programs are known to say: the entry of the catalogue that all faces read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

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
    """`text`, `why` and `remedy` may name the pattern's groups: `{remote}`."""

    id: str
    pattern: re.Pattern[str]
    text: str
    why: str
    remedy: str
    example: str
    kind: LineKind = LineKind.CAUSE
    severity: Weight = Weight.ERROR
    calm: bool = False
    """It means what it says even where its logger only informs."""
    numbers: Mapping[str, Mapping[str, NumberMeaning]] = field(default_factory=dict)
    """Tables by the group whose number they read: `{status_means}` tells what `status` means."""
    remedies: Mapping[During, str] = field(default_factory=dict)
    """Where another remedy fits better than `remedy`."""


def cause(
    id: str,  # noqa: A002
    pattern: str,
    text: str,
    why: str,
    remedy: str,
    example: str,
    *,
    calm: bool = False,
    numbers: Mapping[str, Mapping[str, NumberMeaning]] | None = None,
    remedies: Mapping[During, str] | None = None,
) -> KnownCause:
    """A line that says by itself what is wrong."""
    return KnownCause(
        id,
        re.compile(pattern),
        text,
        why,
        remedy,
        example,
        calm=calm,
        numbers=numbers or {},
        remedies=remedies or {},
    )


def warning(
    id: str,  # noqa: A002
    pattern: str,
    text: str,
    why: str,
    remedy: str,
    example: str,
) -> KnownCause:
    """It works, and costs speed, time or safety."""
    return KnownCause(id, re.compile(pattern), text, why, remedy, example, LineKind.FACT, Weight.WARNING)


def fact(id: str, pattern: str, text: str, why: str, remedy: str, example: str) -> KnownCause:  # noqa: A002
    """Good to know; it is wrong only together with something else, which is said too."""
    return KnownCause(id, re.compile(pattern), text, why, remedy, example, LineKind.FACT, Weight.INFO)


def end(
    id: str,  # noqa: A002
    pattern: str,
    text: str,
    why: str,
    remedy: str,
    example: str,
    *,
    calm: bool = False,
    numbers: Mapping[str, Mapping[str, NumberMeaning]] | None = None,
) -> KnownCause:
    """Something ended: what was said before it says more."""
    return KnownCause(
        id, re.compile(pattern), text, why, remedy, example, LineKind.END, calm=calm, numbers=numbers or {}
    )


def consequence(id: str, pattern: str, text: str, why: str, example: str) -> KnownCause:  # noqa: A002
    """It follows from something that was said elsewhere."""
    remedy = "look for what was said before it, on the other nodes too"
    return KnownCause(id, re.compile(pattern), text, why, remedy, example, LineKind.CONSEQUENCE)


def harmless(id: str, pattern: str, why: str, example: str) -> KnownCause:  # noqa: A002
    """It looks bad and is not; it is never shown."""
    return KnownCause(id, re.compile(pattern), "", why, "", example, LineKind.HARMLESS, Weight.INFO)
