"""The fabric as one node sees it: routes and pings, all at once, in one command that changes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sparkconsole.errors import CommandFailed
from sparkconsole.model.fabric.paths import Path, RailWay
from sparkconsole.parse.fabric.tools import parse_ping, parse_route
from sparkconsole.remote.node_program import boot_argv, boot_input
from sparkconsole.remote.shell import Shell

LIMIT_S = 3.0
"""What one command on the node may take; a ping gives up by itself after two seconds."""
SMALL = 56
_NAME = ("python3", "gate-look")


def commands(way: RailWay) -> tuple[tuple[str, ...], ...]:
    """What is run on the node for one way: the route, and a small and the largest ping in one piece."""
    ping = ("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-w", "2", "-M", "do")
    ends = ("-I", way.rail.address, way.far.address)
    return (
        ("ip", "-o", "route", "get", way.far.address, "from", way.rail.address),
        (*ping, "-s", str(SMALL), *ends),
        (*ping, "-s", str(way.rail.largest), *ends),
    )


async def look_along(shell: Shell, ways: Sequence[RailWay]) -> tuple[Path, ...]:
    """What the node sees along its ways, in at most LIMIT_S seconds and one command.

    Unreachable, TimedOut, or CommandFailed (no python3) when it cannot be asked.
    """
    lines = [argv for way in ways for argv in commands(way)]
    if not lines:
        return ()
    words = boot_argv("gate-look", f"{LIMIT_S:g}", json.dumps(lines))
    done = await shell.run(words, stdin=boot_input("fabric", "paths_program.py"), timeout=20)
    if done.status is None:
        done.checked()
    if not done.ok:
        hint = "python3 is needed there" if done.status == 127 else ""
        raise CommandFailed(_NAME, done.status, done.error_text, hint=hint, node=shell.node)
    answers = _answers(done.text, len(lines))
    if answers is None:
        raise CommandFailed(_NAME, 0, "what it said was not understood", node=shell.node)
    return tuple(_path(way, answers[i * 3 : i * 3 + 3]) for i, way in enumerate(ways))


def _path(way: RailWay, answers: Sequence[tuple[int | None, str]]) -> Path:
    (routed, route), (small_end, small), (large_end, large) = answers
    return Path(way, parse_ping(small, small_end), parse_ping(large, large_end), parse_route(route, routed))


def _answers(text: str, count: int) -> list[tuple[int | None, str]] | None:
    """A status and a text for each command; None for anything else."""
    try:
        rows = json.loads(text)
        pairs = [(s if isinstance(s, int) else None, str(t)) for s, t in rows]
    except (ValueError, TypeError, RecursionError):
        return None
    return pairs if len(pairs) == count else None
