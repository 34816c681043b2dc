"""Why docker refused, in a sentence with what to do; docker's own words where the reason is not known."""

from __future__ import annotations

import re

from sparkconsole.model.launch.state import Why
from sparkconsole.parse.diagnose.cause import cause_of
from sparkconsole.parse.known import During

_TAKEN = re.compile(r'container name "/?([^"]+)" is already in use')
_NOT_HERE = re.compile(r"Unable to find image '([^']+)' locally")


def why_refused(stderr: str) -> Why:
    """The reason `docker run` gave."""
    if taken := _TAKEN.search(stderr):
        cause = f"a container called {taken[1]} came up meanwhile; it is left alone"
        return Why(cause, "look: sparkconsole status")
    # What launch starts lies on the node: that docker then looks for it elsewhere is no news.
    text = _NOT_HERE.sub(r"No such image: \1", stderr)
    if found := cause_of(text, During.LAUNCH):
        return Why(found.text, found.remedy)
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and "docker run --help" not in line]
    return Why(f"docker said: {lines[-1][:300]}" if lines else "docker run failed and said nothing")


def name_taken(stderr: str) -> bool:
    """The name belongs to a container that someone else made: it must not be removed."""
    return _TAKEN.search(stderr) is not None
