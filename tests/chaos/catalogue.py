"""Every verb that is put under faults, said on the command line and typed into the full-screen console."""

from __future__ import annotations

from tests.chaos.serving import SERVING
from tests.chaos.verb import on_screen
from tests.chaos.verbs import PLAIN

LINES = (*PLAIN, *SERVING)
SCREENS = tuple(on_screen(verb) for verb in LINES if not (verb.looks or verb.lasts))
VERBS = {verb.name: verb for verb in (*LINES, *SCREENS)}
