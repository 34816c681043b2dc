"""The words of the program: `send FILE SHARED` at the sender, `serve …` in a container there, `receive …`."""

from __future__ import annotations

import json

from sparkconsole.remote.image_program.receiving import receive
from sparkconsole.remote.image_program.sending import send
from sparkconsole.remote.image_program.serving import serve


def main(words: list[str]) -> int:
    """Does what the words say; an exit status."""
    if words[0] == "serve":
        return serve(*words[1:])
    return receive(json.loads(words[1])) if words[0] == "receive" else send(words[1], int(words[2]))
