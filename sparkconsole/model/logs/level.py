"""The level that a line says outright, in the spellings of loggers: words, numbers and brackets.

From the programs' own documents: pino and bunyan (`"level":50`), GELF and syslog (0 to 7, 3 is an error), the
journal (`"PRIORITY":"3"`), OpenTelemetry (`severity_text`), ECS (`log.level`), hclog (`@level`), logrus on a
terminal (`ERRO[0000]`), structlog (`[error    ]`), spdlog, nginx (`[emerg] 1#1:`), Apache (`[core:error]`),
TensorRT-LLM (`[TRT-LLM] [E]`), `dmesg --raw` (`<3>`) and `dmesg --decode` (`kern  :err   :`).
"""

from __future__ import annotations

import re
from enum import IntEnum


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
    **dict.fromkeys(
        ("err", "eror", "erro", "error", "crit", "critical", "fatal", "fata", "emerg", "emergency", "alert"),
        Level.ERROR,
    ),
    **dict.fromkeys(("panic", "pani", "severe", "dpanic", "e", "f"), Level.ERROR),
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
    found = _WORD.search(text)
    word = next((g for g in found.groups() if g), "") if found else ""
    return LABELS.get(word.lower()) or _numbered(text)


def _numbered(text: str) -> Level | None:
    """Numbers grow with gravity from 10 on, and shrink with it below."""
    found = _NUMBER.search(text) if text.startswith(("<", "{")) else None
    if found is None or (found["level"] and not _MESSAGE.search(text)):
        return None
    number = int(next(g for g in found.groups() if g))
    if number >= 10:
        return Level.ERROR if number >= 50 else Level.WARNING if number >= 40 else Level.INFO
    return Level.ERROR if number <= 3 else Level.WARNING if number == 4 else Level.INFO
