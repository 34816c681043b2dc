"""What one line says: by the catalogue, by the exception that it names, or by how bad it calls itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from string import digits

from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight
from sparkconsole.model.logs.severity import Level, marked, spelled
from sparkconsole.model.logs.tool_words import AT_INFO, NCCL_RESULT, QUOTATION, goes_on
from sparkconsole.model.text.literals import Sieve
from sparkconsole.parse.diagnose.log_frame import Framed
from sparkconsole.parse.diagnose.possibilities import facts_of, peer_of
from sparkconsole.parse.known import KNOWN, During, KnownCause, NumberMeaning

SHOWN = 600
"""Characters of a line that a diagnosis keeps."""
TRACEBACK = "Traceback (most recent call last)"
FAILED_CALMLY = "it is logged as information, and its words say that something failed"
_THROWN = re.compile(
    r"^(?:[\w.]{1,200}\.)?[A-Z]\w{0,60}(?:Error|Exception|Interrupt|Failure)(?:: |$)|"
    r"^(?:[a-z_]\w{0,40}\.){1,8}[A-Z]\w{0,60}: |"
    r"^(?:[A-Za-z_]\w{0,40}\.){1,8}\w{1,60}(?:Error|Exception)(?:: |$)"
)
"""The last line of a traceback: by its name, or a class with its modules."""
THROWN_BY_ANY_NAME = re.compile(r"^(?:[A-Za-z_][\w.]{0,200}\.)?[A-Z]\w{0,60}: ")
"""The same where a traceback stands above it: not every name ends in Error."""
_QUOTED = re.compile(r"^(?:raise |File \"|# source:|\^+$|~*\^+~*$)")
"""Code that a traceback quotes, which may name what it throws; and where a capture came from."""
_WARNS = re.compile(
    r"(?:\.py|>):\d+: \w{0,40}Warning: |^CMake (?:\w{1,20} )?Warning\b|^(?:nvcc|ptxas|ld|cc1plus) warning\b"
)
"""Warnings of Python, CMake and compilers: of what will change, seldom of what fails."""
_LEVELS = {"WARNING": Level.WARNING, "INFO": Level.INFO, "DEBUG": Level.DEBUG}
_AT_INFO = (AT_INFO, NCCL_RESULT)
_CALM_SIEVE = Sieve(_AT_INFO)
_SIEVE = Sieve([known.pattern for known in KNOWN])
_EARLIER = re.compile(
    r"root cause above|"
    r"(?:earlier|previous|prior|preceding|original|first) (?:error|failure|exception|Xid|fault)s?\b|"
    r"stack trace above|(?:errors?|logs?|messages?|output) above|"
    r"because (?:an?|the|another) (?:earlier|previous|other)|as a result of an? (?:earlier|previous)|"
    r"[Aa]borting due to|[Pp]reemptive [Cc]hannel [Rr]emoval|see above"
)
"""The line itself says that something earlier is the cause."""


def diagnose(line: Framed, during: During | None = None) -> Diagnosis | None:
    """What one line says; None: nothing, or nothing bad, that is known. `during`: for its remedy."""
    if _QUOTED.match(line.text) or QUOTATION.match(line.text):
        return None
    known, match = lookup(facts_of(line.text))
    if known is None or match is None:
        return ended(line, _THROWN)  # the best guess when nothing else says more
    if known.kind is LineKind.HARMLESS:
        return None
    one = named(line, known, match, during)
    if (peer := peer_of(line.text, line.rank)) is not None:
        return _of_peer(one, peer)
    calm = line.level in ("DEBUG", "INFO") and not known.calm and one.severity is Weight.ERROR
    return _calm_cause(line, during) if calm else one


def _calm_cause(line: Framed, during: During | None) -> Diagnosis | None:
    """What a logger that only informs says, where it means an error in any case."""
    text = facts_of(line.text)
    for known in (KNOWN[i] for i in _SIEVE.may_fit(text) if KNOWN[i].calm):
        if match := known.pattern.search(text):
            return named(line, known, match, during)
    return None


def _of_peer(one: Diagnosis, peer: str) -> Diagnosis:
    """What another rank or node is said to have met."""
    text = f"{peer} failed, as this node was told: {one.text}"
    why = f"the line is about that {peer.partition(' ')[0]} and not about this node"
    remedy = f"look at {peer}'s own log: sparkconsole logs"
    return replace(one, id="peer-failed", text=text, why=why, remedy=remedy, kind=LineKind.CONSEQUENCE)


@lru_cache(maxsize=64)
def lookup(text: str) -> tuple[KnownCause | None, re.Match[str] | None]:
    """The first entry of the catalogue that fits. One line is asked about several times."""
    for index in _SIEVE.may_fit(text):
        if match := KNOWN[index].pattern.search(text):
            return KNOWN[index], match
    return None, None


def named(line: Framed, known: KnownCause, match: re.Match[str], during: During | None = None) -> Diagnosis:
    """What the logger itself only warns of ends nothing."""
    data = defaultdict(str, {k.rstrip(digits): v for k, v in match.groupdict().items() if v})
    meanings = [m for group, table in known.numbers.items() if (m := _meaning(data, group, table))]
    meaning = next((m for m in meanings if m.victim), meanings[0] if meanings else None)
    text, why, remedy = (filled(form, data) for form in (known.text, known.why, _remedy(known, during)))
    name = (meaning and meaning.id) or known.id
    remedy = (meaning and meaning.remedy) or remedy
    node, rank = data["node"] or line.node, int(data["rank"]) if data["rank"].isdigit() else line.rank
    shown, kind, count = line.text[:SHOWN], known.kind, line.times
    one = Diagnosis(name, known.severity, text, why, remedy, shown, node, rank, kind, count=count)
    if meaning is not None and meaning.victim:
        why = meaning.why or "it follows from what was said before it, here or on the node at the other end"
        return replace(one, kind=LineKind.CONSEQUENCE, why=why)
    mild = line.level.startswith("WARN") and one.severity is Weight.ERROR and not known.calm
    if not mild:
        return one
    weight = Weight.INFO if goes_on(line.text) else Weight.WARNING
    return replace(one, severity=weight, kind=LineKind.FACT)


def _remedy(known: KnownCause, during: During | None) -> str:
    return known.remedies.get(during, known.remedy) if during is not None else known.remedy


def _meaning(values: dict[str, str], group: str, table: Mapping[str, NumberMeaning]) -> NumberMeaning | None:
    """What a number of the line means by its table; told where the entry's sentences ask for it."""
    found = table.get(values[group].upper())
    values[f"{group}_means"] = found.text if found else ""
    return found


def filled(form: str, values: Mapping[str, str]) -> str:
    """A sentence with what the line said in it; where it said nothing the sentence ends before."""
    return re.sub(r"\s+", " ", form.format_map(values)).rstrip(" :,")


def unknown(line: Framed) -> Diagnosis | None:
    """A line that is loud, and that nobody knows: better than to call the log healthy."""
    quoted = _QUOTED.match(line.text) or QUOTATION.match(line.text)
    if TRACEBACK in line.text or quoted or lookup(facts_of(line.text))[0] is not None:
        return None
    level, _ = _level(line)
    if level is Level.INFO and _fails_calmly(line.text):
        one = as_unknown(replace(line, level=""), Level.WARNING)
        return replace(one, why=FAILED_CALMLY)
    return as_unknown(line, level) if level is not None and level >= Level.WARNING else None


def as_unknown(line: Framed, level: Level) -> Diagnosis:
    """The finding for a line that is as bad as `level`, whatever it says."""
    error = level is Level.ERROR
    calm = (line.level and not line.native) or _WARNS.search(line.text) is not None
    weight = Weight.ERROR if error else Weight.INFO if calm else Weight.WARNING
    name, why = "error-unknown" if error else "warning-unknown", _unknown_why(line, error)
    one = Diagnosis(name, weight, "not known to sparkconsole", why, "read the lines around it")
    return _of_line(one, line, LineKind.UNKNOWN)


def _of_line(one: Diagnosis, line: Framed, kind: LineKind) -> Diagnosis:
    """What a line says by itself, of that kind unless it says that something earlier is the cause."""
    kind = LineKind.CONSEQUENCE if _EARLIER.search(line.text) else kind
    shown = line.text[:SHOWN]
    return replace(one, line=shown, node=line.node, rank=line.rank, kind=kind, count=line.times)


def _unknown_why(line: Framed, error: bool) -> str:
    """Only what the line itself says of how bad it is."""
    if error:
        return "the line calls itself an error" if outright(line) else "the line tells of a failure"
    sounds = "is a warning" if outright(line) else "sounds like trouble"
    return f"the line {sounds}, and nothing shows that work went on"


def _fails_calmly(text: str) -> bool:
    """NCCL looks for plugins that need not be there, and says so."""
    if "Plugin" in text or "PLUGIN" in text:
        return False
    return any(_AT_INFO[i].search(text) for i in _CALM_SIEVE.may_fit(text))


def outright(line: Framed) -> bool:
    """Whether the line itself says how bad it is, and does not only sound so."""
    return _level(line)[1]


def _level(line: Framed) -> tuple[Level | None, bool]:
    """How bad it is, and whether the line says so outright."""
    if line.level:
        return _LEVELS.get(line.level, Level.ERROR), True
    if "NCCL INFO" in line.text or "NCCL TRACE" in line.text:
        return Level.INFO, True
    label = marked(line.text)
    return (label, True) if label is not None else (spelled(facts_of(line.text)), False)


def ended(line: Framed, name_of: re.Pattern[str] = THROWN_BY_ANY_NAME) -> Diagnosis | None:
    """The end of a traceback: an exception that nobody knows."""
    if line.level in ("DEBUG", "INFO", "WARNING") or not name_of.match(line.text):
        return None
    text = f"a program ended with {line.text.partition(':')[0].rpartition('.')[2]}"
    why = "not known to sparkconsole; the lines above it say where it was thrown"
    remedy = "read the line; a newer or older image may do"
    return _of_line(Diagnosis("exception", Weight.ERROR, text, why, remedy), line, LineKind.END)
