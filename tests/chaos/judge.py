"""Pure verdicts: the words and exit codes of a trial against what the nodes said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.record import WAITS, Ending, Hits, Leftover, Record

QUIET_S = 20.0
"""Nobody is left without a line for longer while a verb waits."""


class Kind(StrEnum):
    """What a trial showed, the worst first."""

    WRONG = "wrong"
    SILENT = "silent"
    LITTER = "litter"
    WORDS = "words"
    RIGHT = "right"


@dataclass(frozen=True)
class Verdict:
    """The worst of what was found, and all of it in sentences."""

    kind: Kind
    why: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {'; '.join(self.why)}" if self.why else str(self.kind)


@dataclass(frozen=True)
class Found:
    """One thing that is not as it should be."""

    kind: Kind
    why: str


def judge(record: Record) -> Verdict:
    """Right only when nothing at all was found."""
    checks = (
        _broken, _late, _claims, _ended_by_another, _kept, _looks, _screen, _journal, _attached, _denied,
        _silence, _litter, _words,
    )  # fmt: skip
    found = [each for check in checks for each in check(record)]
    order = list(Kind)
    worst = min((each.kind for each in found), key=order.index, default=Kind.RIGHT)
    return Verdict(worst, tuple(each.why for each in found))


# --- wrong

_TRACEBACK = re.compile(
    r"Traceback \(most recent|Task exception was never|Exception ignored in|RuntimeWarning:|INTERNAL ERROR"
)
GOES_ON = re.compile(r"left running|goes on|may still (?:be )?run|runs attach")
"""A console says that something outlives it."""
CODES = {0, 1, 3, 4, 5, 130}


_RELAYED = re.compile(r"^· \S+ ")
"""A line of a program on a node, as the console passes it on."""


def _own_words(record: Record) -> str:
    """What the console itself said: not what programs printed that it shows, on the screen without a mark."""
    if record.on_screen:
        return "\n".join(line for line in record.text.splitlines() if re.search(r"[✖?]|^!", line))
    return "\n".join(line for line in record.text.splitlines() if not _RELAYED.search(line))


def _broken(record: Record) -> Iterator[Found]:
    if seen := _TRACEBACK.search(_own_words(record)):
        yield Found(Kind.WRONG, f"a traceback or warning of Python's: {seen[0]}")


def _late(record: Record) -> Iterator[Found]:
    ends = (*record.consoles, *((record.attached,) if record.attached else ()))
    for end in ends:
        if not (end.in_time or _waits(end)):
            yield Found(Kind.WRONG, f"did not end within {end.took_s:.0f} s and had to be ended")


def _waits(end: Ending) -> bool:
    """It says of a lost node until when it is waited for, and has just said it again."""
    said = [line.at for line in end.lines if WAITS.search(line.text)]
    return bool(said) and end.took_s - said[-1] <= QUIET_S


def _claims(record: Record) -> Iterator[Found]:
    """Each console's exit code against the nodes; a look promises something else."""
    if record.looks or record.lasts:
        return
    for end in record.consoles if record.hits is not Hits.OTHER else (record.ending,):
        if end.in_time:
            yield from _claim(record, end)


def _ended_by_another(record: Record) -> Iterator[Found]:
    """The last console that says done is right."""
    if record.undone and record.reached:
        yield Found(Kind.WRONG, "the other console ended with 0, and what it was to end is there")


def _claim(record: Record, end: Ending) -> Iterator[Found]:
    reached = record.reached if record.reached is not None else record.reached_after
    expected_death = record.hits is Hits.CONSOLE and end is record.ending and end.exit_code == -9
    if end.exit_code == 0 and reached is False and not record.undone:
        yield Found(Kind.WRONG, "exit 0, and the nodes say that it is not so")
    if end.exit_code == 1 and reached:
        yield Found(Kind.WRONG, "exit 1, and the nodes say that it is done")
    if end.exit_code == 130 and record.running and not GOES_ON.search(end.text):
        yield Found(Kind.WRONG, f"cancelled, and it runs on: {', '.join(record.running)}")
    if end.exit_code not in CODES and not expected_death:
        yield Found(Kind.WRONG, f"ended with {end.exit_code}, which says nothing of what was done")
    if record.hits is Hits.NOTHING and end.exit_code not in (0, 4):
        yield Found(Kind.WRONG, f"nothing was done to it, and it ended with {end.exit_code}")
    if record.hits is Hits.JOURNAL and end.exit_code != 0:
        yield Found(Kind.WRONG, f"a journal that cannot be kept was in the way: exit {end.exit_code}")


def _kept(record: Record) -> Iterator[Found]:
    """What lasts keeps its promise, or says that it does not: it gives up, or waits for a node."""
    gives_up = record.ending.exit_code in (1, 3, 5)
    if record.lasts and record.reached is False and not (gives_up or _waits(record.ending)):
        yield Found(Kind.WRONG, "what it is to keep is not so, and it says nothing of it")


def _screen(record: Record) -> Iterator[Found]:
    """The top line counts the nodes that are up, with the fault there and when it is over."""
    for shown, are_up in ((record.shown_up, record.are_up), (record.shown_up_after, 2)):
        if shown is not None and shown != are_up:
            yield Found(Kind.WRONG, f"the screen says that {shown} are up, and {are_up} are")


_TROUBLE = re.compile(
    r"docker|engine|unreach|unknown|cannot|could not|lost|refused|no answer|timed out", re.I
)


def _looks(record: Record) -> Iterator[Found]:
    """A look names every node in trouble, and sees no trouble where there is none."""
    if not record.looks:
        return
    for end in record.consoles:
        if end.exit_code not in CODES:
            yield Found(Kind.WRONG, f"ended with {end.exit_code}, which says nothing of what was seen")
        for node in record.troubled:
            if not any(node in line.text and _TROUBLE.search(line.text) for line in end.lines):
                yield Found(Kind.WRONG, f"{node} is in trouble, and no line says so")
        if not record.troubled and end.exit_code:
            yield Found(Kind.WRONG, f"exit {end.exit_code}, and every node answers")


def _journal(record: Record) -> Iterator[Found]:
    """What is written down of the run is as true as what was said."""
    state, code = record.run_state, record.ending.exit_code
    if record.looks or record.lasts or not state or record.hits is Hits.JOURNAL:
        return
    reached = record.reached if record.reached is not None else record.reached_after
    if state == "done" and reached is False and not record.undone:
        yield Found(Kind.WRONG, "the journal says done, and the nodes say that it is not so")
    if state == "failed" and reached:
        yield Found(Kind.WRONG, "the journal says failed, and the nodes say that it is done")
    if state == "cancelled" and record.running:
        yield Found(Kind.WRONG, f"the journal says cancelled, and it runs on: {', '.join(record.running)}")
    if code == 0 and state != "done":
        yield Found(Kind.WRONG, f"exit 0, and the journal says {state}")
    if code in (3, 5) and state in ("done", "failed") and record.reached is None:
        yield Found(Kind.WRONG, f"exit {code} means unknown, and the journal says {state}")


def _attached(record: Record) -> Iterator[Found]:
    if record.attached is None or not record.attached.in_time:
        return
    code, reached = record.attached.exit_code, record.reached_after
    if code == 0 and reached is False:
        yield Found(Kind.WRONG, "runs attach ended with 0, and the nodes say that it is not so")
    unknown = "is unknown" in record.attached.text  # there is no job: it follows nothing and claims nothing
    if code == 1 and reached and not unknown:
        yield Found(Kind.WRONG, "runs attach ended with 1, and the nodes say that it is done")
    if code not in CODES:
        yield Found(Kind.WRONG, f"runs attach ended with {code}")


_NOTHING = re.compile(r"nothing (?:was|is) (?:loaded|copied|left|built|written)|nothing (?:stays|remains)")


def _denied(record: Record) -> Iterator[Found]:
    """That there is nothing was looked at, not supposed."""
    if record.left and (seen := _NOTHING.search(record.text)):
        yield Found(Kind.WRONG, f"“{seen[0]}”, and {record.left[0].node} has {record.left[0].what}")


# --- silent, litter


def _silence(record: Record) -> Iterator[Found]:
    ends = (*record.consoles, *((record.attached,) if record.attached else ()))
    for end in ends:
        if end.quiet_s > QUIET_S:
            yield Found(Kind.SILENT, f"no line for {end.quiet_s:.0f} s")


_SAID = {
    "process": re.compile(r"still run|may run|goes on|what it left .* unknown|runs attach"),
    "half": re.compile(r"goes on where it was|\.incomplete|starts? it again|copy again"),
    "layer": re.compile(r"layers? that arrived|without a name|nameless|carrier|what arrived|--dangling"),
    "file": re.compile(r"runs attach|may still run"),
}
"""By kind the words that tell a person of it; everything else has to be named."""
_JOB = re.compile(r"/jobs/([^/]+)/")


def _litter(record: Record) -> Iterator[Found]:
    for one in record.left:
        if one.kind not in record.leaves and not _is_said(one, record.text):
            yield Found(Kind.LITTER, f"{one.kind} left on {one.node} and not said: {one.what}")
    killed = record.ending.exit_code == -9
    for name in record.left_here if not killed else ():
        yield Found(Kind.LITTER, f"left on the console's machine and not said: {name}")


def _is_said(one: Leftover, text: str) -> bool:
    """By its name, its job's, or words that mean its kind; a node that is off is not for a console to say."""
    words, job = _SAID.get(one.kind), _JOB.search(one.what)
    return one.what in text or bool(words and words.search(text)) or bool(job and f"job:{job[1]}" in text)


# --- words

_USELESS = {
    "the text of a shell command": re.compile(r"\bsh -c\b"),
    "a fault called ours": re.compile(r"a defect of sparkconsole"),
    "a name out of Python": re.compile(r"\b[A-Z]\w*(?:Error|Exception)\b|<class '|object at 0x"),
    "an empty reason": re.compile(r"(?:failed|lost|ended|refused|unknown|unreachable):\s*$", re.M),
    "a reason that says nothing": re.compile(r"said nothing|: ;|\(\)\s*$|— *$", re.M),
}
_UNRECORDED = re.compile(r"without a record|cannot be (?:written|kept)|No space left|Read-only file system")


def _words(record: Record) -> Iterator[Found]:
    own = _own_words(record)
    for what, pattern in _USELESS.items():
        if seen := pattern.search(own):
            yield Found(Kind.WORDS, f"{what}: {_around(own, seen)}")
    for end in record.consoles:
        if end.exit_code > 0 and not end.text.strip():
            yield Found(Kind.WORDS, f"exit {end.exit_code} without a word")
    if record.hits is Hits.NODE and record.ending.exit_code in (1, 3, 5) and record.node not in record.text:
        yield Found(Kind.WORDS, f"{record.node} is not named")
    after = any(
        line.at > record.moment_s for line in record.ending.lines
    )  # else all of it was written by then
    unwritten = not record.looks and after and record.fault in ("journal full", "journal read-only")
    if unwritten and not _UNRECORDED.search(record.text):
        yield Found(Kind.WORDS, "nothing says that the run could not be written down")


def _around(text: str, seen: re.Match[str]) -> str:
    start = text.rfind("\n", 0, seen.start()) + 1
    end = text.find("\n", seen.end())
    return text[start : end if end >= 0 else None].strip()[:160]
