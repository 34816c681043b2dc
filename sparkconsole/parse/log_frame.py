"""A log line without what stands around its message: times, tags of Ray and vLLM, heads of NCCL and kernel.

Every head is optional and may repeat, as when a container's log has Ray's tags around vLLM's around NCCL's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sparkconsole.model.text import printable

_STAMP = (
    r"(?:(?P<year>\d{4})-)?(?P<month>\d\d)-(?P<day>\d\d)[T ]"
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d(?:[.,]\d+)?)"
)
_HEADS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<tag>\((?P<role>[A-Za-z_][\w-]*)(?P<inside>(?: [^()]*)?)\)) *",
        rf"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) {_STAMP} (?:\[[^\]]*\] ?)?",
        rf"{_STAMP}(?:Z|[+-]\d\d:?\d\d)? *[\t ]*"
        r"(?:(?P<level>DEBUG|INFO|WARN(?:ING)?|ERR(?:OR)?|CRITICAL) +\S+:\d+ -- )?",
        rf"\[{_STAMP} [A-Z] \d+ \d+\] (?:\((?:raylet|gcs_server)\) )?",
        rf"\[{_STAMP}\] ?",
        r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?P<host>[\w.-]+) (?:kernel|\S+\[\d+\]): ",
        r"\[ *\d+\.\d{6}\] ?",
        r"(?:<\d>)?\[rank(?P<rank>\d+)\]:? ?",
        r"(?P<nccl_host>[\w.<>:-]+?):\d+:\d+ (?:\[\d+\] )?(?=(?:\S+\.cc:\d+ )?NCCL )",
    )
)
_RANK = re.compile(r"(?:TP|PP|rank[=_ ]?|Worker-|Worker_)(?P<rank>\d+)")
_IP = re.compile(r"\bip=(?P<ip>[0-9A-Fa-f.:]+)")
_REPEATED = re.compile(r"\s*\[repeated (?P<times>\d+)x across cluster\].*$")
_CLOCK = ("month", "day", "hour", "minute", "second")
LONGEST = 16_000
"""Characters of a line that are looked at."""


@dataclass(frozen=True, slots=True)
class Framed:
    """A message, and what its heads said of it. Empty and None: they did not say."""

    text: str
    node: str = ""
    rank: int | None = None
    at: float | None = None
    """Seconds, comparable with other lines of the same year."""
    times: int = 1
    level: str = ""
    """As vLLM's or Ray's logger said it: DEBUG, INFO, WARNING, ERROR."""


def framed(raw: str) -> Framed:
    """The message of one line and who said it when."""
    text = printable(raw[:LONGEST]).strip()
    times = 1
    if repeated := _REPEATED.search(text):
        times, text = int(repeated["times"]), text[: repeated.start()]
    node, rank, at, level = "", None, None, ""
    while match := _head(text):
        groups = match.groupdict()
        inside = f"{groups.get('role') or ''} {groups.get('inside') or ''}"
        found = _IP.search(inside)
        node = node or (found["ip"] if found else groups.get("host") or _host(groups.get("nccl_host")))
        rank = rank if rank is not None else _rank(groups, inside)
        at = at if at is not None else _seconds(groups)
        level = groups.get("level") or level
        text = text[match.end() :]
    return Framed(text.strip(), node, rank, at, times, level)


def _head(text: str) -> re.Match[str] | None:
    for pattern in _HEADS:
        if (match := pattern.match(text)) and match.end():
            return match
    return None


def _host(name: str | None) -> str:
    """NCCL's own word for the machine; Ray cuts it down to `<node:main>` sometimes."""
    return "" if not name or "<" in name else name


def _rank(groups: dict[str, str | None], inside: str) -> int | None:
    told = groups.get("rank")
    found = _RANK.search(inside) if "orker" in inside else None
    return int(told) if told else int(found["rank"]) if found else None


def _seconds(groups: dict[str, str | None]) -> float | None:
    """The year is left out: vLLM's own lines have none."""
    if groups.get("month") is None:
        return None
    month, day, hour, minute, second = (float((groups.get(k) or "0").replace(",", ".")) for k in _CLOCK)
    return (month * 31 + day) * 86_400 + hour * 3600 + minute * 60 + second
