"""A log line without what stands around its message: times, tags of Ray and vLLM, heads of NCCL and kernel.

Every head is optional and may repeat, as when a container's log has Ray's tags around vLLM's around NCCL's.

What users ask of a model (`Received request ID: prompt: '…', params: SamplingParams(…)`, which vLLM writes
with `--enable-log-requests`) is anybody's text, and nothing of this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sparkconsole.model.text.printable import printable

_STAMP = (
    r"(?:(?P<year>\d{4})-)?(?P<month>\d\d)-(?P<day>\d\d)[T ](?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d"
    r"(?:[.,]\d+)?)"
)
_LEVEL = r"(?P<level>TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRITICAL|FATAL)"
_HEADS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\[(?:\d{1,3};?){1,4}m",  # a colour that lost its escape character
        r"(?P<tag>\((?P<role>[A-Za-z_][\w-]*)(?P<inside>(?: [^()]*)?)\)) *",
        rf"{_LEVEL} {_STAMP} (?:\[?(?P<source>[\w-]{{1,80}}\.py):\d+\] ?|\[[^\]]*\] ?)?",
        rf"{_STAMP}(?:Z|[+-]\d\d:?\d\d)? *[\t ]*(?:\[?{_LEVEL}\]? +(?:\S+:\d+ -- )?)?",
        rf"\[{_STAMP} (?P<letter>[A-Z]) \d+ \d+\] (?:\((?:raylet|gcs_server)\) )?",
        rf"\[{_STAMP}\] ?",
        r"\[?(?P<letter>[EWFCID])(?:\d{4})?(?P<month>\d\d)(?P<day>\d\d) (?P<hour>\d\d):(?P<minute>\d\d):"
        r"(?P<second>\d\d(?:\.\d+)?) +(?:\d+ )?\S+:\d+\] ",
        r"\[(?P<letter>[EWFCID]) [\w.]+:\d+\] ",
        r"(?P<name>[A-Z][a-z]{2}) (?P<day>[ \d]\d) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) "
        r"(?P<host>[\w.-]+) (?:kernel|[\w.@-]+(?:\[\d+\])?): ",
        r"(?P<host>[\w.-]{1,120}) (?:kernel|[\w.@-]{1,80}\[\d+\]): ",
        r"\[ *\d+\.\d{6}\] ?",
        r"<(?P<letter>[0-3])>(?=\[)|<[4-7]>(?=\[)",
        r"(?:kern|user|daemon|syslog) *:(?P<letter>emerg|alert|crit|err) *: |"
        r"(?:kern|user|daemon|syslog) *:(?:warn|notice|info|debug) *: ",
        r"\[[A-Z][a-z]{2} (?P<name>[A-Z][a-z]{2}) (?P<day>[ \d]\d) (?P<hour>\d\d):(?P<minute>\d\d):"
        r"(?P<second>\d\d) \d{4}\] ",
        r"(?:kernel|systemd(?:-\w{1,20})?\[\d{1,9}\]): ",
        r"(?:<\d>)?\[(?:default\d+\]:\[)?[Rr]ank ?(?P<rank>\d+)\]:? ?",
        r"\[?(?P<clock>\d\d:\d\d:\d\d)(?:[.,]\d+)?\]? +",
        r"(?:stdout|stderr) [FP] ",
        r"[\w.-]{1,60} +\| (?=\S)",
        rf"(?:- |\| |\[)(?:[\w.]{{1,60}} (?:- |\| ))?{_LEVEL} *(?: - | \| |\] "
        rf"?)(?:[\w.<>]{{1,60}}(?::[\w.<>]{{1,60}}:\d+)? - )?",
        r"time=\"[^\"]*\" level=(?P<word>\w+) (?:msg=)?\"?",
        r"level=(?P<word>\w+) (?:ts=\S+ )?(?:msg=)?\"?",
        r"(?P<word>INFO|DEBUG): +(?!task \S{1,60} blocked|\S{1,40} (?:self-)?detected stall)",
        r"#\d+ (?:\d+\.\d+ )?(?!\[)(?=\S)|\d+\.\d{2,3} +(?=\S)",
        r"(?P<nccl_host>[\w.<>:-]{1,120}?):\d{1,9}:\d{1,9} (?:\[\d+\] )?(?=(?:\S+\.cc:\d+ )?NCCL )",
        r"[\w/]{1,80}\.(?:cc|cpp|h):\d+: ",
    )
)
_WORDS = {
    **dict.fromkeys(("E", "F", "C", "0", "1", "2", "3", "ERR", "FATAL", "PANIC"), "ERROR"),
    **dict.fromkeys(("W", "WARN"), "WARNING"),
    **dict.fromkeys(("I", "NOTICE"), "INFO"),
    **dict.fromkeys(("D", "TRACE"), "DEBUG"),
}
_DOCKER_JSON = re.compile(r"^\{\"log\":\"(?P<said>(?:[^\"\\]|\\.)*)\"")
_RANK = re.compile(r"(?:TP|PP|rank[=_ ]?|Worker-|Worker_)(?P<rank>\d+)")
_IP = re.compile(r"\bip=(?P<ip>[0-9A-Fa-f.:]+)")
_REPEATED = re.compile(r"\[repeated (?P<times>\d{1,9})x across cluster\]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLOCK = ("month", "day", "hour", "minute", "second")
LONGEST = 4000
"""Characters of a line that are looked at: no pattern ever sees more."""
_BEGIN = re.compile(r"\bReceived request .{0,200}?\bprompt: ")
_END = re.compile(r"\bparams: (?:Sampling|Pooling|BeamSearch)Params\(|\blora_request: ")
MOST = 400
"""Lines that a prompt may have."""


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
    """As the logger said it, in whatever spelling: DEBUG, INFO, WARNING, ERROR, CRITICAL."""
    native: bool = False
    """By one letter, as native code has it (glog, c10d): Python's loggers warn in every good start."""
    clock: bool = False
    """It has a time, be it without a day."""
    source: str = ""
    """The file of the program that says it: `serving_chat.py`."""


def framed(raw: str) -> Framed:
    """The message of one line and who said it when."""
    text = printable(_unpacked(raw[:LONGEST])).strip()
    times = 1
    if repeated := _REPEATED.search(text):
        times, text = int(repeated["times"]), text[: repeated.start()].rstrip()
    node, rank, at, level, native, clock, source = "", None, None, "", False, False, ""
    while match := _head(text):
        groups = match.groupdict()
        inside = f"{groups.get('role') or ''} {groups.get('inside') or ''}"
        found = _IP.search(inside)
        node = node or (found["ip"] if found else groups.get("host") or _host(groups.get("nccl_host")))
        rank = rank if rank is not None else _rank(groups, inside)
        at = at if at is not None else _seconds(groups)
        native = native if not _level(groups) else bool(groups.get("letter"))
        level = _level(groups) or level
        source = source or groups.get("source") or ""
        clock = clock or at is not None or bool(groups.get("clock"))
        text = text[match.end() :]
    return Framed(text.strip(), node, rank, at, times, level, native, clock, source)


def _unpacked(text: str) -> str:
    """The line that Docker's json-file driver keeps in an object."""
    found = _DOCKER_JSON.match(text)
    if found is None:
        return text
    message = found["said"].replace("\\n", "").replace('\\"', '"')
    return message.replace("\\t", "\t").replace("\\u001b", "\x1b")


def _level(groups: dict[str, str | None]) -> str:
    text = (groups.get("level") or groups.get("letter") or groups.get("word") or "").upper()
    return _WORDS.get(text, text)


def _head(text: str) -> re.Match[str] | None:
    for pattern in _HEADS:
        if (match := pattern.match(text)) and match.end():
            return match
    return None


def _host(name: str | None) -> str:
    """NCCL's own word for the machine; Ray cuts it down to `<node:main>` sometimes."""
    return "" if not name or "<" in name else name


def _rank(groups: dict[str, str | None], inside: str) -> int | None:
    text = groups.get("rank")
    found = _RANK.search(inside) if "orker" in inside else None
    return int(text) if text else int(found["rank"]) if found else None


def _seconds(groups: dict[str, str | None]) -> float | None:
    """The year is left out: vLLM's own lines have none."""
    if groups.get("name") in _MONTHS:
        groups = {**groups, "month": str(_MONTHS.index(groups["name"] or "") + 1)}
    if groups.get("month") is None:
        return None
    month, day, hour, minute, second = (float((groups.get(k) or "0").replace(",", ".")) for k in _CLOCK)
    return (month * 31 + day) * 86_400 + hour * 3600 + minute * 60 + second


class PromptDetector:
    """Fed with every line; knows whether it is a user's text."""

    def __init__(self) -> None:
        self._left, self._number = 0, 0

    def holds(self, number: int, line: Framed) -> bool:
        """Whether the line is a prompt, or part of one. `number`: pieces of a long line have one."""
        if number == self._number:
            return True
        if _BEGIN.search(line.text):
            self._number, self._left = number, 0 if _END.search(line.text) else MOST
            return True
        if not self._left:
            return False
        if line.level or _END.search(line.text):
            self._left = 0
            return not line.level
        self._left -= 1
        return True
