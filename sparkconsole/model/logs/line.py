"""One line of a log as people read it: who said it, when, how bad it is. Its text is made safe to show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sparkconsole.model.logs.severity import Level, letter_level, marked, spelled
from sparkconsole.model.text.redact import redact
from sparkconsole.model.text.units import moment

__all__ = ["LONGEST", "Level", "LogLine", "level_of", "log_line", "normalised"]

LONGEST = 4000
"""Characters of a line that are kept; what is longer says how much more there was."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """Made by `log_line`, so that its text is safe to show."""

    text: str
    """May have colours (SGR), no other escape and no control character."""
    node: str = ""
    at: datetime | None = None
    level: Level = Level.INFO

    @property
    def bare(self) -> str:
        """The text without its colours."""
        return _SGR.sub("", self.text) if "\x1b" in self.text else self.text


_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_OTHER = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-ln-~]"  # CSI that is no colour
    r"|\x1b\[[<-?][0-?]*[ -/]*m"  # private: xterm's key settings, no colour either
    r"|\x1b[\]PX^_].*?(?:\x1b\\|\x07|$)"  # OSC and other strings: titles, clipboard, links
    r"|\x1b(?!\[[0-9;:]*m)[ -/]*[0-~]?"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]")

# The levels as vLLM and Ray (`INFO 01-31 …`, `… WARNING scripts.py`), NCCL, the kernel, glog and Python write
# them. Looking for the plain words first costs a tenth of the expressions: 5,000 lines a second come by here.
_LEVELS = (
    (
        Level.ERROR,
        ("ERROR", "CRITICAL", "FATAL", "Traceback", "Xid", "panic", "Error: ", "Exception: "),
        re.compile(r"\b(?:ERROR|CRITICAL|FATAL|Traceback|Xid|panic)\b|\w(?:Error|Exception): "),
    ),
    (Level.WARNING, ("WARN", "Warning: "), re.compile(r"\bWARN(?:ING)?\b|\w?Warning: ")),
    (Level.DEBUG, ("DEBUG", "TRACE"), re.compile(r"\b(?:DEBUG|TRACE)\b")),
)
_INFORMS = re.compile(r"\b(?:INFO|NOTICE)\b|level=info")


def log_line(raw: str, *, node: str = "", time: str = "") -> LogLine:
    """`raw` as a line that can be shown. `time`: ISO 8601 or RFC 3339; empty or unreadable: none."""
    text = normalised(raw)
    return LogLine(text, node, moment(time), level_of(_SGR.sub("", text) if "\x1b" in text else text))


def normalised(raw: str) -> str:
    """What a terminal would show of it: a carriage return starts again, and of all escapes colours stay."""
    text = raw.rstrip("\r\n")
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part), "")
    more = f" … ({len(text) - LONGEST} more characters)" if len(text) > LONGEST else ""
    # Half a secret would not be known for one, nor one in colours.
    text = text[: 2 * LONGEST]
    text = text if text.isprintable() else _CONTROLS.sub("", _OTHER.sub("", text)).expandtabs(8)
    bare = _SGR.sub("", text) if "\x1b" in text else text
    text = text if redact(bare) == bare else redact(bare)
    return text[:LONGEST] + more if more else text


def level_of(text: str) -> Level:
    """The level that a line says it has; what says none informs."""
    head = text[:200]
    for level, words, pattern in _LEVELS:
        for word in words:
            if word in head and pattern.search(head):
                return level
    named = letter_level(head)
    named = marked(head) if named is None else named
    if named is not None:
        return named
    return Level.ERROR if not _INFORMS.search(head) and spelled(head) is Level.ERROR else Level.INFO
