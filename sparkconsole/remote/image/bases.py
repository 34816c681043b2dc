"""What the bases of a build are on the node that builds: an image that is there, or what a registry has."""

from __future__ import annotations

from collections.abc import Sequence

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, TimedOut, Unreachable
from sparkconsole.model.image.bases import BaseImage, SeenBase, registry_digest
from sparkconsole.model.text.printable import printable
from sparkconsole.remote.docker import engine
from sparkconsole.remote.shell import Shell

MOST_BASES = 16
"""More are not asked for; the rest is built from its tags."""


async def seen_bases(shell: Shell, bases: Sequence[BaseImage]) -> tuple[SeenBase, ...]:
    """Each of them as it is now, asked for side by side; one that cannot be read says why."""
    few, rest = bases[:MOST_BASES], bases[MOST_BASES:]
    seen = await together(*(_seen(shell, base) for base in few))
    return (*seen, *(SeenBase(base, why=f"more than {MOST_BASES} bases are not looked at") for base in rest))


async def _seen(shell: Shell, base: BaseImage) -> SeenBase:
    if not base.name:
        return SeenBase(base, why="only the builder knows its name")
    if base.digest:
        return SeenBase(base, base.digest)
    try:
        # The builders of an engine take what is there, and ask nobody.
        if local := await engine.image(shell, base.name):
            return SeenBase(base, registry_digest(local.digests, base.name), local.id)
        return SeenBase(base, await engine.digest_in_registry(shell, base.name))
    except Unreachable:
        raise
    except TimedOut:
        return SeenBase(base, why=f"no answer within {engine.REGISTRY_TIMEOUT_S:.0f} s")
    except SparkError as error:
        return SeenBase(base, why=_in_a_line(error.cause))


def _in_a_line(cause: str) -> str:
    """A registry's own words, on one line and not too many."""
    return " ".join(printable(cause).removeprefix("docker says: ").split())[:200] or "no reason was given"
