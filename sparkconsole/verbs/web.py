"""`web`: the console in a browser. The command line starts it; inside a console there is one already."""

from __future__ import annotations

from typing import Annotated

from sparkconsole.errors import Refused
from sparkconsole.model.work.answer import Answer
from sparkconsole.verbs.grammar.registry import FLAG, verb
from sparkconsole.verbs.grammar.session import Here


@verb("web")
async def web(
    session: Here, *, port: int = 8000, host: str = "127.0.0.1", shared: Annotated[bool, FLAG] = False
) -> Answer:
    """Open the console to a browser on this machine; it prints an address that holds a secret.

    The first tab works like any console; further ones only watch for as long as it is open.

    Parameters
    ----------
    port
        Where it listens.
    host
        127.0.0.1; from elsewhere use ssh -L.
    shared
        Further tabs may change machines too.
    """
    raise Refused("a console is open already", hint=f"on the command line: sparkconsole web --port {port}")
