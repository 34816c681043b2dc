"""What failed while one request was answered: the server is well otherwise."""

from __future__ import annotations

import re
from dataclasses import replace

from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight
from sparkconsole.parse.diagnose.log_frame import Framed

NOT_ANSWERED = "request-not-answered"
_ANSWERS = re.compile(
    r"^(?:serving\w*|\w{0,60}(?:tool|reasoning)_?parsers?\w{0,60}|preprocess\w*|protocol|chat_utils|server_utils)\.py$"
)
"""Files of vLLM that answer requests: they log what one request met, and go on."""
_OF_ALL = ("chat-template",)
"""What every request meets."""
_OF_SERVER = re.compile(r"^Exception in ASGI application")
_TEXT = "a request could not be answered"
_WHY = "the server is well otherwise: what failed is said by the part of vLLM that answers requests"
_REMEDY = (
    "look at what was asked; when every request ends so, the chat template or the tool and reasoning parser "
    "is not the model's: --chat-template, --tool-call-parser"
)


class RequestFailure:
    """Fed with every line; knows whether a traceback is of one request."""

    def __init__(self) -> None:
        self._answers = False

    def feed(self, line: Framed) -> None:
        """What the web server tells of a request goes on until a program says something with a level."""
        if _OF_SERVER.match(line.text.removeprefix("ERROR:").lstrip()):
            self._answers = True
        elif line.level:
            self._answers = _ANSWERS.match(line.source) is not None

    def adjusted(self, one: Diagnosis | None) -> Diagnosis | None:
        """The finding, as one of a request where it is that and nobody knows more of it."""
        if one is None or not self._answers or one.severity is not Weight.ERROR:
            return one
        mild = replace(one, severity=Weight.WARNING, kind=LineKind.FACT)
        if one.kind in (LineKind.END, LineKind.UNKNOWN):
            return replace(mild, id=NOT_ANSWERED, text=_TEXT, why=_WHY, remedy=_REMEDY)
        return mild if one.kind is LineKind.CAUSE and one.id not in _OF_ALL else one
