"""`list`, `look MODEL REVISION all|hash|-`, `headers MODEL`, `send …`, `receive …`, `download …`."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable
from typing import Any, cast

from sparkconsole.remote.model_program.downloading import download
from sparkconsole.remote.model_program.hashes import STOP, say
from sparkconsole.remote.model_program.headers import headers
from sparkconsole.remote.model_program.listing import models
from sparkconsole.remote.model_program.looking import look
from sparkconsole.remote.model_program.receiving import receive
from sparkconsole.remote.model_program.sending import send

LOOKS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "list": models,
    "look": lambda *words: [look(*words)],
    "headers": lambda model: [headers(model)],
}


def main(words: list[str]) -> int:
    """Does what the words say; an exit status."""
    signal.signal(signal.SIGTERM, lambda *_: STOP.set())
    if words[0] in LOOKS:
        try:
            for found in LOOKS[words[0]](*words[1:]):
                say(**found)
        except OSError as error:
            say(error="%s: %s" % (error.filename, error.strerror))  # noqa: UP031
        return 0
    if words[0] == "receive":
        receive(cast(io.BufferedReader, sys.stdin.buffer), words[1].rstrip("/"))
        return 0
    return download(words[1:]) if words[0] == "download" else send(words[1])
