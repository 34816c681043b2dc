"""Any log of vLLM, NCCL, Ray, Docker, the hub or the kernel, and what it says went wrong.

Lines are read once and forgotten; what is kept is one diagnosis a cause, node and rank.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sparkconsole.model.diagnosis import Diagnosis, Kind, Weight, ranked
from sparkconsole.parse.known import KNOWN, Known
from sparkconsole.parse.log_frame import LONGEST, Framed, framed
from sparkconsole.parse.nccl_verdict import NcclVerdict

SHOWN = 600
"""Characters of a line that a diagnosis keeps."""
MOST = 200
"""Diagnoses that are kept; a log that says more than that says nothing new."""

_SUSPECT = re.compile(
    r"rror|Traceback|FATAL|ERR|[Ww]arning|WARN|ail|xception|illed|Kill|NVRM|mlx5|pcie|AER|oom|OOM|[Mm]emory|[Pp]reempt|died|"
    r"dead|DEAD|"
    r"[Tt]imed? ?out|[Tt]imeout|[Rr]efused|[Dd]enied|[Mm]ismatch|[Mm]ismatched|[Nn]o |[Nn]ot |[Cc]annot|"
    r"[Cc]an't|[Uu]nable|"
    r"[Cc]onflict|NCCL|NET/|specs=|PENDING|placement group|closed|[Ll]ost|[Ll]ink|free\(|malloc|ault|"
    r"[Aa]bort|"
    r"template|larger|divisible|greater|[Ii]llegal|SIG|too |corrupt|EXT4|nvme|throttl|modify_qp|Subnet-aware|"
    r"async event|"
    r"HeaderTooLarge|incomplete|full|[Ii]nvalid|EOF|restricted|unexpectedly|manifest|exited|is needed|GID|"
    r"capabilit|"
    r"trust_remote|encrypted|container name|Duplicate|[Rr]equires?|Cli|rate limit|HOST|Bus|[Rr]emaining|"
    r"CmpltTO|docker|"
    r"UnsupportedPtx|no_exist|Xid|retry|event 0x|/RoCE|\"failed\""
)
"""Words of which a line that says anything has at least one; most lines have none, and cost one search."""
_THROWN = re.compile(r"^(?:[\w.]+\.)?[A-Z]\w{0,60}(?:Error|Exception|Interrupt|Failure)(?:: |$)")
"""The last line of a traceback."""
_TRACEBACK = "Traceback (most recent call last):"
_THROWN_BY_ANY_NAME = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w{0,60}: ")
"""The same where a traceback stands above it: not every name ends in Error."""
_FRAMES = 400
"""Lines behind a traceback's head in which it ends."""
_PLAIN_ERROR = re.compile(r"^(?:fatal|Fatal|FATAL|error|Error|ERROR): ")
_ERROR_LEVELS = ("ERROR", "ERR", "CRITICAL")
_QUOTED = re.compile(r"^(?:raise |File \"|# source:)")
"""Code that a traceback quotes, which may name what it throws; and where a capture came from."""


def explain(lines: Iterable[str], node: str = "") -> tuple[Diagnosis, ...]:
    """What one log says, root cause first. `node`: whose log it is, where its lines do not say."""
    return ranked(read(lines, node))


def read(lines: Iterable[str], node: str = "") -> tuple[Diagnosis, ...]:
    """The same as it stands in the log; `ranked` puts those of several logs together."""
    found: dict[tuple[str, str, int | None], Diagnosis] = {}
    verdict, last_at, frames = NcclVerdict(), None, 0
    for number, raw in enumerate(lines, 1):
        for part in raw.rstrip("\r\n").split("\r"):
            if not frames and not _SUSPECT.search(part, 0, LONGEST):
                continue
            line = framed(part)
            last_at = line.at if line.at is not None else last_at
            verdict.feed(line)
            one = diagnose(line) or (_ended(line) if frames else _unknown(line))
            frames = _frames_left(line, frames)
            if one is not None and len(found) < MOST:
                _keep(found, replace(one, number=number, at=last_at, node=one.node or node))
    return (*found.values(), *(replace(d, node=d.node or node) for d in verdict.diagnoses()))


def explain_line(text: str) -> Diagnosis | None:
    """What one line says by itself; None for most, and then cheaply. It may follow from what others say."""
    return diagnose(framed(text)) if _SUSPECT.search(text, 0, LONGEST) else None


def _keep(found: dict[tuple[str, str, int | None], Diagnosis], one: Diagnosis) -> None:
    """The first line of its kind stands for the others."""
    key = (one.id, one.node, one.rank)
    before = found.get(key)
    found[key] = one if before is None else replace(before, count=before.count + one.count)


def diagnose(line: Framed) -> Diagnosis | None:
    """What one line says; None: nothing, or nothing bad."""
    if _QUOTED.match(line.text):
        return None
    known, match = _known(line.text)
    if known is None or match is None:
        return _thrown(line)
    calm = line.level in ("DEBUG", "INFO") and known.severity is Weight.ERROR
    return None if calm or known.kind is Kind.HARMLESS else _named(line, known, match)


def _named(line: Framed, known: Known, match: re.Match[str]) -> Diagnosis:
    """What the logger itself only warns of ends nothing."""
    said = defaultdict(str, {k: v for k, v in match.groupdict().items() if v})
    text, why, remedy = (_filled(form, said) for form in (known.text, known.why, known.remedy))
    one = Diagnosis(
        known.id,
        known.severity,
        text,
        why,
        remedy,
        line.text[:SHOWN],
        said.get("node") or line.node,
        int(said["rank"]) if said["rank"].isdigit() else line.rank,
        known.kind,
        count=line.times,
    )
    mild = line.level.startswith("WARN") and one.severity is Weight.ERROR
    return replace(one, severity=Weight.WARNING, kind=Kind.FACT) if mild else one


def _filled(form: str, said: Mapping[str, str]) -> str:
    """A sentence with what the line said in it; where it said nothing the sentence ends before."""
    return re.sub(r"[\s:,]+$", "", re.sub(r"\s+", " ", form.format_map(said)))


def _known(text: str) -> tuple[Known | None, re.Match[str] | None]:
    for known in KNOWN:
        if match := known.pattern.search(text):
            return known, match
    return None, None


def _frames_left(line: Framed, frames: int) -> int:
    """How many lines more may belong to a traceback."""
    if _TRACEBACK in line.text:
        return _FRAMES
    return 0 if _THROWN_BY_ANY_NAME.match(line.text) else max(0, frames - 1)


def _unknown(line: Framed) -> Diagnosis | None:
    """A line that calls itself an error, and that nobody knows: better than to call the log healthy."""
    said = line.level in _ERROR_LEVELS or _PLAIN_ERROR.match(line.text)
    if not said or _TRACEBACK in line.text or _QUOTED.match(line.text) or _known(line.text)[0] is not None:
        return None
    return Diagnosis(
        "error-unknown",
        Weight.ERROR,
        "a program calls this an error",
        "nobody taught sparkconsole this one",
        "read the lines around it",
        line.text[:SHOWN],
        line.node,
        line.rank,
        Kind.CONSEQUENCE,  # an exception says more, whichever stands first
        count=line.times,
    )


def _thrown(line: Framed) -> Diagnosis | None:
    """An exception that nobody knows is the best guess when nothing else says more."""
    return _ended(line, _THROWN)


def _ended(line: Framed, name_of: re.Pattern[str] = _THROWN_BY_ANY_NAME) -> Diagnosis | None:
    if line.level in ("DEBUG", "INFO", "WARNING") or not name_of.match(line.text):
        return None
    name = line.text.partition(":")[0].rpartition(".")[2]
    return Diagnosis(
        "exception",
        Weight.ERROR,
        f"a program ended with {name}",
        "nobody taught sparkconsole this one; the lines above it say where it was thrown",
        "read the line; a newer or older image may do",
        line.text[:SHOWN],
        line.node,
        line.rank,
        Kind.END,
        count=line.times,
    )
