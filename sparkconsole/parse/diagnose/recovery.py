"""What is known to recover, and by which line: a sign of life of something else does not make it
well. A machine that was off or asleep and is back: what it said of that is past.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight
from sparkconsole.model.text.literals import Sieve
from sparkconsole.parse.known.power import ASLEEP, OFF

_ANSWERED = r"\"(?:GET|POST|HEAD) (?P<what>[^\" ]{1,200}) HTTP/[\d.]{1,4}\" 2\d\d\b"
_PAIRS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(trouble), re.compile(healed))
    for trouble, healed in (
        (r"\"(?:GET|POST|HEAD) (?P<what>[^\" ]{1,200}) HTTP/[\d.]{1,4}\" 50[234]\b", _ANSWERED),
        (
            r"\bcurl: \((?:7|28|52|56)\)",
            r"^200$|\bHTTP/[\d.]{1,4} 200\b|\"status\": ?\"ok\"|Application startup complete",
        ),
        (
            r"thrown while requesting (?:HEAD|GET) https://|Retrying in \d{1,6}s \[Retry \d",
            r"Fetching \d{1,6} files: +100%|Loading weights took|Application startup complete",
        ),
        (
            r"Failed to connect to GCS|Unable to connect to GCS",
            r"Ray runtime started|Connected to Ray cluster",
        ),
        (
            r"NCCL INFO .{0,300}(?:\bretry(?:ing)?\b|failed with)",
            r"\bInit COMPLETE\b|Connected all (?:rings|trees)",
        ),
        (
            r"No available shared memory broadcast block",
            r"init engine \(|Application startup complete|Graph capturing finished|"
            r"torch\.compile (?:took|takes)|Loading weights took|generation throughput: (?:[1-9]|0\.[1-9])",
        ),
        (
            r"Waiting for creating a placement group|No current placement group found|"
            r"pending placement group",
            r"Starting to load model|Loading weights took|init engine \(|Application startup complete",
        ),
        (
            r"client socket has (?:failed|timed out)",
            r"world_size=\d|in world size \d|\bInit COMPLETE\b|init engine \(|Application startup complete",
        ),
        (r"failed to load cni during init", r"containerd successfully booted"),
        (
            r"\b(?P<what>(?:enp|eth|roce|ens)\w{1,20}): (?:NIC )?[Ll]ink (?:is )?[Dd]own",
            r"\b(?P<what>(?:enp|eth|roce|ens)\w{1,20}): (?:NIC )?[Ll]ink (?:is )?[Uu]p\b",
        ),
    )
)
_TROUBLE = Sieve([bad for bad, _ in _PAIRS])
_HEALED = Sieve([good for _, good in _PAIRS])
_STOPPING = re.compile(r"^Stopping (?P<unit>[\w@.-]{1,80}\.\w{1,10})\b")
_STOPPED = re.compile(
    r"^(?P<unit>[\w@.-]{1,80}): (?:Main process exited, code=(?:exited, status=143/|killed, status=15/)|"
    r"Failed with result '(?:exit-code|signal)')"
)
_NOW = {ASLEEP: Weight.WARNING, OFF: Weight.INFO}


@dataclass(slots=True)
class Recovery:
    """Fed with every line; knows who was told to stop."""

    _stopping: set[str] = field(default_factory=set)

    def feed(self, text: str) -> None:
        """Who is being stopped."""
        if text.startswith("Stopping ") and (found := _STOPPING.match(text)):
            self._stopping.add(found["unit"])

    def was_meant(self, text: str) -> bool:
        """The end of a service that was told to stop."""
        found = _STOPPED.match(text)
        return found is not None and found["unit"] in self._stopping


def trouble(text: str) -> tuple[int, str] | None:
    """What is broken, and of what; None: nothing of which we know how it recovers."""
    return next((key for i in _TROUBLE.may_fit(text) if (key := _key(i, _PAIRS[i][0], text))), None)


def healed(text: str) -> tuple[tuple[int, str], ...]:
    """What works again."""
    return tuple(key for i in _HEALED.may_fit(text) if (key := _key(i, _PAIRS[i][1], text)))


def _key(index: int, pattern: re.Pattern[str], text: str) -> tuple[int, str] | None:
    found = pattern.search(text)
    return (index, found.groupdict().get("what") or "") if found else None


def past(one: Diagnosis) -> Diagnosis:
    """The same finding once the machine runs again; sleep may come back, so that it stays a warning."""
    now = _NOW.get(one.id)
    return one if now is None else replace(one, severity=now, kind=LineKind.FACT)
