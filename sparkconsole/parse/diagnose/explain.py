"""Any log of vLLM, NCCL, Ray, Docker, the hub, a build or the kernel, and what it says went wrong.

Lines are read once and forgotten; what is kept is one diagnosis a cause, node and rank, and how the log ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sparkconsole.model.logs.diagnosis import Diagnosis, Ending, LineKind, Weight, first_error, ranked
from sparkconsole.model.logs.severity import Level, sounds
from sparkconsole.model.logs.tool_words import recovers
from sparkconsole.parse.diagnose.kills import Kills, best_known, subject
from sparkconsole.parse.diagnose.line import (
    FAILED_CALMLY,
    THROWN_BY_ANY_NAME,
    TRACEBACK,
    as_unknown,
    diagnose,
    ended,
    outright,
    unknown,
)
from sparkconsole.parse.diagnose.log_frame import LONGEST, Framed, PromptDetector, framed
from sparkconsole.parse.diagnose.nccl import NcclVerdict
from sparkconsole.parse.diagnose.possibilities import is_bullet, opens_list
from sparkconsole.parse.diagnose.recovery import Recovery, healed, past, trouble
from sparkconsole.parse.diagnose.request import NOT_ANSWERED, RequestFailure
from sparkconsole.parse.diagnose.signs_of_life import CUT, Move, is_poll, move
from sparkconsole.parse.diagnose.stall import Stall
from sparkconsole.parse.known import During
from sparkconsole.parse.known.power import BACK

SHOWN = 300
"""Characters of a log's last line that are told."""
MOST = 200
"""Diagnoses that are kept; a log that says more than that says nothing new."""
PIECES = 18
"""Of a line that is longer than a pattern may see, so many are looked at: the first ones, and its end."""
OVERLAP = 200
_FRAMES = 400
"""Lines behind a traceback's head in which it ends."""
_RAISED_AT = re.compile(r"\bray::\S{1,120} ?\(pid=\d{1,9}, ip=(?P<ip>[0-9A-Fa-f.:]{2,45})\b")
_SUSPECT = re.compile(
    r"specs=|PENDING|placement group|free\(|malloc|template|larger|divisible|greater|llegal|too |EXT4|nvme|"
    r"throttl|modify_qp|Subnet-aware|async event|HeaderTooLarge|incomplete|full|nvalid|restricted|"
    r"unexpectedly|manifest|is needed|GID|capabilit|trust_remote|encrypted|container name|Duplicate|equires?|"
    r"rate limit|HOST|Bus|emaining|CmpltTO|docker|UnsupportedPtx|no_exist|event 0x|/RoCE|mlx5|pcie|AER|oom|"
    r"OOM|reempt|dead|DEAD|imeout|onflict|onfiguration|hostkeys|privilege|stall|ockup|LOCKUP|blocked|uspend|"
    r"ibernat|leep|ower|critical|hutdown|hutting|alt\b|eboot|HARDWARE|agent|arget|tool choice|starved|"
    r"ending SIG|in use|lowdown|NCCL|NET/|ink|bort|No |no |not |Not |an't|ARN|guard"
)


@dataclass(frozen=True, slots=True)
class LogFindings:
    """What a log says, as it stands in it, and how it ends."""

    found: tuple[Diagnosis, ...]
    ending: Ending


def explain(lines: Iterable[str], node: str = "") -> tuple[Diagnosis, ...]:
    """What one log says, root cause first. `node`: whose log it is, where its lines do not say."""
    return ranked(read(lines, node))


def read(lines: Iterable[str], node: str = "") -> tuple[Diagnosis, ...]:
    """The same as it stands in the log; `ranked` puts those of several logs together."""
    return examine(lines, node).found


def examine(lines: Iterable[str], node: str = "") -> LogFindings:
    """What one log says, and whether it shows that things work."""
    reader = _LogReader(node)
    for number, raw in enumerate(lines, 1):
        for part in raw.rstrip("\r\n").split("\r"):
            for piece in _pieces(part):
                reader.feed(number, piece)
    return reader.end()


def explain_line(text: str) -> Diagnosis | None:
    """What one line says by itself; None for most, and then cheaply. It may follow from what others say."""
    head = text[:LONGEST]
    return diagnose(framed(head)) if _speaks(head) else None


def cause_of(text: str, during: During) -> Diagnosis | None:
    """The first known cause in what a program said; None: nothing known, or only what follows from one."""
    root = first_error(one for line in text.splitlines() if (one := diagnose(framed(line), during)))
    return root if root is not None and root.kind is LineKind.CAUSE else None


def _speaks(text: str) -> bool:
    """Whether a line may say anything at all: most do not, and cost a few searches."""
    return sounds(text) or bool(_SUSPECT.search(text))


def _pieces(part: str) -> Iterator[str]:
    if len(part) <= LONGEST:
        yield part
        return
    begins = [*range(0, len(part), LONGEST - OVERLAP)]
    if len(begins) > PIECES:  # what went wrong is often said last
        begins[PIECES - 1 :] = [len(part) - LONGEST]
    for begin in begins:
        yield part[begin : begin + LONGEST]


class _LogReader:
    """One log: fed with its lines, asked once at its end."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._found: dict[tuple[str, LineKind, str, int | None, tuple[int, str] | None, bool], Diagnosis] = {}
        self._nccl, self._stall = NcclVerdict(), Stall()
        self._prompt, self._recovery = PromptDetector(), Recovery()
        self._frames, self._traceback = 0, (0, "")
        self._at: float | None = None
        self._alive, self._stage, self._last = False, "", ""
        self._guesses = False
        self._kills, self._ended = Kills(), ""
        self._request, self._origin = RequestFailure(), ""

    def feed(self, number: int, part: str) -> None:
        line = framed(part)
        if not line.text:
            return
        self._at = line.at if line.at is not None else self._at
        if self._prompt.holds(number, line):
            return
        if is_poll(line.text):
            self._recovered(line.text)
            self._last = self._last or line.text[:SHOWN]
            return
        self._nccl.feed(line)
        self._recovery.feed(line.text)
        self._request.feed(line)
        one = self._request.adjusted(self._finding(line))
        self._follow_end(line, one)
        self._follow_traceback(number, line)
        self._last = line.text[:SHOWN]
        one = self._past(line, one)
        if one is not None:
            explicit = outright(line)
            one = self._milder(one, explicit)
            node = one.node or self._origin or self._node
            self._keep(replace(one, number=number, at=self._at, node=node), explicit)
        self._follow_origin(line)
        self._step(line, one)

    def _finding(self, line: Framed) -> Diagnosis | None:
        self._guesses = opens_list(line.text) or (self._guesses and is_bullet(line.text))
        if self._guesses and is_bullet(line.text):
            return None
        loud = bool(line.level) or _speaks(line.text)
        one = diagnose(line) if loud else None
        if one is None and self._frames:
            return ended(line)
        return unknown(line) if one is None and loud else one

    def _follow_end(self, line: Framed, one: Diagnosis | None) -> None:
        """A warning that a traceback ends with ended the program, unless the program says more after it."""
        if self._frames and THROWN_BY_ANY_NAME.match(line.text):
            warned = one is not None and one.severity is Weight.WARNING and one.id != NOT_ANSWERED
            self._ended = one.id if one is not None and warned else ""
        elif line.level or line.at is not None or move(line.text) is not None:
            self._ended = ""

    def _follow_origin(self, line: Framed) -> None:
        """Whose traceback it is: Ray repeats on the head what a worker of another node threw."""
        if found := _RAISED_AT.search(line.text):
            self._origin = found["ip"]
        elif THROWN_BY_ANY_NAME.match(line.text) or not self._frames:
            self._origin = ""

    def _past(self, line: Framed, one: Diagnosis | None) -> Diagnosis | None:
        """One kill is told once; what a machine that is back said before is past."""
        if BACK.search(line.text):
            self._found = {key: past(d) for key, d in self._found.items()}
        return one if one is None or self._kills.is_new(one) else None

    def _follow_traceback(self, number: int, line: Framed) -> None:
        """How many lines more may belong to it."""
        if TRACEBACK in line.text:
            self._frames, self._traceback = _FRAMES, (number, line.text)
        elif THROWN_BY_ANY_NAME.match(line.text):
            self._frames = 0
        else:
            self._frames = max(0, self._frames - 1)

    def _milder(self, one: Diagnosis, explicit: bool) -> Diagnosis:
        """A warning that nobody knows weighs little in a log that showed already that it works."""
        mild = self._alive and one.id == "warning-unknown" and (explicit or recovers(one.line))
        mild = mild and one.why != FAILED_CALMLY
        return replace(one, severity=Weight.INFO) if mild or self._recovery.was_meant(one.line) else one

    def _keep(self, one: Diagnosis, explicit: bool) -> None:
        """The first line of its kind stands for the others, unless a later one weighs more."""
        explicit = explicit or one.kind is not LineKind.UNKNOWN
        key = (subject(one), one.kind, one.node, one.rank, trouble(one.line), explicit)
        before = self._found.get(key)
        if before is None:
            if len(self._found) < MOST:
                self._found[key] = one
            return
        heavier = before.severity is Weight.INFO and one.severity is not Weight.INFO
        self._found[key] = replace(one if heavier else before, count=before.count + one.count)

    def _step(self, line: Framed, one: Diagnosis | None) -> None:
        quiet = one is None or one.severity is Weight.INFO
        moved = move(line.text) if quiet else None
        if quiet:
            self._recovered(line.text)
        if self._stall.feed(line, moved, quiet=quiet) and moved is not None:
            self._went_on(moved)
        if moved is not None:
            self._stage = "" if moved.alive else moved.stage
        if (one is not None and one.severity is Weight.ERROR) or CUT.match(line.text):
            self._alive = False
        elif moved is not None:
            self._alive = self._alive or moved.alive

    def _went_on(self, moved: Move) -> None:
        """What was only muttered about, and did not stop anything, weighs no more than that."""
        for key, one in tuple(self._found.items()):
            if one.kind is not LineKind.UNKNOWN or (one.severity is Weight.INFO and not moved.alive):
                continue
            tries = recovers(one.line)
            warned = one.id == "warning-unknown" and one.why != FAILED_CALMLY and (tries or key[-1])
            if warned and moved.alive:
                del self._found[key]
            elif warned or (moved.alive and tries and not key[-1]):
                self._found[key] = replace(one, severity=Weight.INFO)

    def _recovered(self, text: str) -> None:
        """What this line shows to work again."""
        again = healed(text)
        for key, one in tuple(self._found.items()) if again else ():
            if key[-2] in again:
                self._found[key] = replace(one, severity=Weight.INFO)

    def end(self) -> LogFindings:
        found = [
            *(self._as_end(d) for d in best_known(self._found.values())),
            *(replace(d, node=d.node or self._node) for d in self._nccl.diagnoses()),
        ]
        if self._frames and not any(d.severity is Weight.ERROR for d in found):
            found.append(self._cut_traceback())
        found = self._stall.report(found, self._node)
        return LogFindings(tuple(found), Ending(self._node, self._alive, self._stage, self._last))

    def _as_end(self, one: Diagnosis) -> Diagnosis:
        ended_it = one.id == self._ended
        return replace(one, severity=Weight.ERROR, kind=LineKind.CAUSE) if ended_it else one

    def _cut_traceback(self) -> Diagnosis:
        """A traceback whose end is not in the log; nothing but its head may be a quotation."""
        number, text = self._traceback
        one = replace(as_unknown(Framed(text), Level.ERROR), number=number, node=self._node)
        return one if self._frames < _FRAMES else replace(one, severity=Weight.INFO)
