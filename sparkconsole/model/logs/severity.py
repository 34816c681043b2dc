"""How bad a line calls itself, in the spellings of loggers, kernels, compilers, package managers and shells.

Spellings from the programs' own sources: glog and absl (`E1122 07:22:58.1 pid file:line]`), PyTorch's c10d
(`[E1122 …`, `[rank0]:[W1122 …`), Ray (`[2026-11-22 07:22:58,1 E pid tid]`), Go's log/slog and logrus
(`level=error`), JSON loggers (`"level":"error"`), syslog's words, apt (`E: `), buildkit, ninja, gcc.

Levels that a line says outright, from the programs' own documents: pino and bunyan (`"level":50`), GELF and
syslog (0 to 7, 3 is an error), the journal (`"PRIORITY":"3"`), OpenTelemetry (`severity_text`), ECS
(`log.level`), hclog (`@level`), logrus on a terminal (`ERRO[0000]`), structlog (`[error    ]`), spdlog, nginx
(`[emerg] 1#1:`), Apache (`[core:error]`), TensorRT-LLM (`[TRT-LLM] [E]`), `dmesg --raw` (`<3>`) and
`dmesg --decode` (`kern  :err   :`).
"""

from __future__ import annotations

import re
from enum import IntEnum

from sparkconsole.model.logs.tool_words import FAILS, QUOTATION
from sparkconsole.model.text.literals import Sieve


class Level(IntEnum):
    """In the order of its gravity."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


LABELS = {
    **dict.fromkeys(("trace", "debug", "debu", "dbug", "d", "v"), Level.DEBUG),
    **dict.fromkeys(("info", "notice", "information", "informational", "i"), Level.INFO),
    **dict.fromkeys(("warn", "warning", "w"), Level.WARNING),
    **dict.fromkeys(("err", "eror", "erro", "error", "crit", "critical", "fatal", "fata"), Level.ERROR),
    **dict.fromkeys(("emerg", "emergency", "alert", "panic", "pani", "severe", "dpanic"), Level.ERROR),
    **dict.fromkeys(("e", "f"), Level.ERROR),
}
_WORD = re.compile(
    r"\b(?:level|lvl|severity)=\"?(\w+)"
    r"|\"(?:@|log[._]?)?(?i:level|lvl|severity|levelname|level_name|severity_?text)\": ?\"(\w+)"
    r"|^\W{0,3}(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|EMERG|ALERT|D?PANIC|"
    r"SEVERE)\b(?! =|: task \S{1,60} blocked|: .{1,40}detected stall)"
    r"|^(DEBU|INFO|WARN|ERRO|FATA|PANI)\[\d{4}\]|^([Ww]arning): "
    r"|^[^\"'()=]{0,60}?\[(?:[\w-]{1,30}:)?(debug|info|notice|warn|warning|error|crit|critical|alert|emerg|"
    r"fatal) *\](?: |$)"
    r"|^.{0,40}?\[[\w-]{1,20}\] \[([VIWEF])\] "
    r"|^(?:kern|user|daemon|syslog|auth|mail) *:(emerg|alert|crit|err) *: "
)
_NUMBER = re.compile(
    r"^<(?P<kernel>[0-7])>|^\{.*?(?:\"PRIORITY\": ?\"?(?P<journal>[0-7])\b|\"level\": ?(?P<level>\d{1,2})\b)"
)
_MESSAGE = re.compile(r"\"(?:msg|message|short_message)\": ?\"")


def marked(text: str) -> Level | None:
    """The level that stands in the line; None: none does."""
    found = _WORD.search(head := text[:HEAD])
    word = next((g for g in found.groups() if g), "") if found else ""
    return LABELS.get(word.lower()) or _numbered(head)


def _numbered(text: str) -> Level | None:
    """Numbers grow with gravity from 10 on, and shrink with it below."""
    found = _NUMBER.search(text) if text.startswith(("<", "{")) else None
    if found is None or (found["level"] and not _MESSAGE.search(text)):
        return None
    number = int(next(g for g in found.groups() if g))
    if number >= 10:
        return Level.ERROR if number >= 50 else Level.WARNING if number >= 40 else Level.INFO
    return Level.ERROR if number <= 3 else Level.WARNING if number == 4 else Level.INFO


HEAD = 4000
"""Characters in which a line says how bad it is."""

_LETTERS = {"E": Level.ERROR, "F": Level.ERROR, "C": Level.ERROR, "W": Level.WARNING, "D": Level.DEBUG}
_LETTER = re.compile(
    r"\[?([EWFCID])(?:\d{4})?\d{4} \d\d:\d\d|\[\d{4}-\d\d-\d\d[T ][\d:.,]+ ([EWFCID]) "
    r"|([EWFCID]) \d\d:\d\d:\d\d"
)
_ERRORS = re.compile(
    r"(?:^|[\s:>\]])(?:[Ff]atal|[Ee]rror|FATAL|ERROR|[Pp]anic|PANIC|CRITICAL)(?:\[\w{1,12}\]|"
    r"\(\w{1,12}\))?: ?\S"
    r"|\b(?:fatal|internal compiler) error\b|\bERROR\b|\bFATAL\b|\bCRITICAL\b|\bFAILED\b"
    r"|^[Ee]rror (?:[a-z]\w* )?(?:response|while|in|at|creating|opening|reading|writing|loading|running|"
    r"executing|pulling|processing|parsing|getting|initializing|starting|connecting|code|\d)"
    r"|^[Uu]nable to (?:configure|start|load|open|initiali[sz]e|bind|create|listen|parse|read)\b|^E: |^ERR!"
    r"|\bnpm ERR!|^curl: \(\d|^wget: |^ssh: |^rsync error|^tar: .{1,200}: (?:Cannot|Error)|^dpkg: error"
    r"|\bunexpected EOF\b|\b[Ss]egmentation fault\b|\bsegfault at\b|\bcore dumped\b|\bBus error\b"
    r"|\bgeneral protection\b|^\*\*\* (?:SIG|Aborted|Process received|stack smashing|buffer overflow)"
    r"|^\*\*\* .{0,80}(?:Error|Stop\.)|\bterminate called\b|\bpanicked at\b|^panic: |^fatal error"
    r"|\bgoroutine \d+ \[running\]|^Aborted\b|^Killed$|\"errorDetail\"|\"error\": ?[\"{]|^\{\"message\": ?\""
    r"|\"status\": ?\"error\"|\bNCCL WARN\b|\bCall Trace:|\bKernel panic\b|\bBUG: |\bOops: "
    r"|\bNVRM: .{0,200}(?:[Ff]ailed|[Ee]rror|FAIL)|\bXid \("
    r"|\bfailed(?:!|: | with (?:error|result|exit|status|code|rc|return)\b| to (?:solve|start|build|load|"
    r"create|allocate|initialize|connect|register|open|bind|mount|execute|parse|find|get|read|write|pull|"
    r"push|compile)\b)"
    r"|\bFailed (?:to|with|to start)\b|\bfailure:? |\bstatus=[1-9]\d*/(?!SUCCESS)|\bcode=(?:killed|dumped)\b"
    r"|\bMain process exited, code=exited, status=[1-9]|\bentered failed state"
    r"|\b(?:exit(?:ed)?|returned|finished|terminated)(?: with)?(?: a)?(?: non-zero)?(?: exit)? (?:code|"
    r"status):? -?[1-9]"
    r"|\breturned (?:a )?non-zero|\bexitcode: -?[1-9]|\brc=-?[1-9]\d*\b|: (?:command )?not found$"
    r"|: No such file or directory$|: Permission denied$|: [Nn]o space left on device|: Connection refused$"
    r"|: No route to host$|: Connection timed out$|: Operation not permitted$|: Exec format error$"
    r"|^make(?:\[\d+\])?: \*\*\*|^CMake Error|^(?:nvcc|ptxas) (?:fatal|error)"
    r"|\bundefined (?:reference|symbol)\b|^ld: |^ninja: build stopped|\bHTTP/[\d.]+\"? 5\d\d\b"
    r"|^[45]\d\d (?:Client|Server) Error|\bI/O error\b|\bException in thread\b"
    r"|\bUnhandled (?:exception|rejection)\b|\bUncaught\b|\bassertion .{0,80}failed\b|\bAssertion `"
    r"|\bSIG(?:SEGV|ABRT|BUS|ILL|FPE|KILL)\b|\bcorrupt(?:ed|ion)?\b|\bunrecoverable\b|\bout of memory\b"
    r"|\bOut of memory\b"
)
_THROWN = re.compile(
    r"\b[A-Z]\w{0,60}(?:Error|Exception|Failure|Interrupt): |^[A-Z]\w{0,60}(?:Error|Exception)$"
)
_WARNINGS = re.compile(
    r"\bWARN(?:ING)?\b|\b[Ww]arning: |\w{2,40}Warning: |^W: |\bretrying\b|\btimed out\b"
    r"|\b[Cc]onnection (?:refused|reset|closed|lost)\b|\brefused\b|\bdenied\b|\bunreachable\b|\b[Cc]annot \w"
    r"|\b[Cc]ould not \w|\b[Uu]nable to \w|\bfailed\b|\bdied\b|\bkilled\b|\bcrashed\b|\bhung\b|\baborted\b"
    r"|\bmismatch\b"
)
_CALM = re.compile(
    r"\bfailed(?:[\"']?: ?0\b|[ =]+0\b)|\b0 (?:\w{1,20} )?(?:failed|errors?)\b|\bno (?:errors?|failures)\b"
    r"|[Nn]o error|^Failed requests: +0\b|errors?[=:] ?0\b"
)
"""Words of a report that all is well; what else the line says counts."""


_LOUD = (_ERRORS, _THROWN, FAILS, _WARNINGS)
_WARNS = 3
_SIEVE = Sieve(_LOUD)
_STEMS = (
    "rror", "fatal", "panic", "ailed", "ailure", " fail", "FAIL", "FATAL", "PANIC", "CRITICAL", "ERR", "WARN",
    "arning", "xception", "EOF", "fault", "dump", "rc=", "status", "code=", "termin", "ort", "illed", "SIG",
    "curl", "wget", "ssh:", "not found", "No ", "no ", "denied", "efused", "route", "timed out", "retry",
    "etr", "closed", "lost", "ould not", "nable", "unreach", "died", "crash", "hung", "mismatch", "Xid",
    "NVRM", "Trace", "BUG", "Oops", "make", "CMake", "undefined", "ld: ", "ninja", "HTTP", "Client",
    "ncaught", "nhandled", "ssert", "orrupt", "recover", "emory", "×", "✖", "E: ", "W: ", "***", "permitted",
    "essage", "goroutine", "I/O", "protection", "nterrupt", "onnect", "n't ", "xit", "errno", " end of",
    "remature", "annot", "see ", "above", "nvalid", "trap", "Bad ", "ommand", "uthentic", "password",
    "respond", "not ", "tarting", "Err:", "404", "depend", "ompletion", "ABORT", "signal", "blocked", "stall",
    "tall", "UE ", "FATA", "crit", "emerg", "alert", "evel\"", "evel=", "PRIORITY", "everity", "lvl=", "[E]",
    "[F]", "<3>", "<2>", "<1>", "<0>", " -> ", "lockup", "LOCKUP", "mount:", "free(", "alloc(", "su: ",
    "sudo:", "docker:", "OCI ", ":err", ":crit",
)  # fmt: skip
"""Of which a line that sounds like anything has one: most have none, and cost these searches only."""


def letter_level(text: str) -> Level | None:
    """The level that one letter names, as glog, c10d and Ray have it; None: no such letter stands there."""
    found = _LETTER.search(text[:HEAD])
    letter = next((g for g in found.groups() if g), "") if found else ""
    return _LETTERS.get(letter, Level.INFO) if letter else None


def spelled(text: str) -> Level | None:
    """How bad a message without a level sounds: ERROR, WARNING, or None for one that sounds like neither."""
    head = text[:HEAD]
    if not sounds(head) or QUOTATION.match(head):
        return None
    if _CALM.search(head):
        head = _CALM.sub("·", head)
    fitting = _SIEVE.may_fit(head)
    if head.startswith("× ") or head.lstrip().startswith("✖ "):
        return Level.ERROR
    if any(_LOUD[i].search(head) for i in fitting if i != _WARNS):
        return Level.ERROR
    return Level.WARNING if _WARNS in fitting and _WARNINGS.search(head) else None


def sounds(text: str) -> bool:
    """Whether a line has a word of trouble at all; cheap."""
    return any(stem in text for stem in _STEMS)
