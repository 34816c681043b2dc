"""What the bases of a build are on the node that builds: an image that is there, or what a registry has."""

from __future__ import annotations

from collections.abc import Sequence

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, TimedOut, Unreachable
from sparkconsole.model.image.bases import FromImage, ResolvedImage, registry_digest
from sparkconsole.model.image.build import full_name
from sparkconsole.model.text.printable import printable
from sparkconsole.remote.docker import engine
from sparkconsole.remote.shell import Shell

MOST_BASES = 16
"""More are not asked for; the rest is built from its tags."""


async def seen_bases(
    shell: Shell, bases: Sequence[FromImage], *, registry_first: bool = False
) -> tuple[ResolvedImage, ...]:
    """Each of them as it is now, asked for side by side; one that cannot be read says why.

    In the builder's own order: most take what is there and ask nobody, some ask the registry first.
    """
    few, rest = bases[:MOST_BASES], bases[MOST_BASES:]
    seen = await together(*(_seen(shell, base, registry_first=registry_first) for base in few))
    return (
        *seen,
        *(ResolvedImage(base, why=f"more than {MOST_BASES} bases are not looked at") for base in rest),
    )


async def _seen(shell: Shell, base: FromImage, *, registry_first: bool) -> ResolvedImage:
    if not base.name:
        return ResolvedImage(base, why="only the builder knows its name")
    if base.digest:
        return ResolvedImage(base, base.digest)
    if not registry_first and (local := await _local(shell, base)):
        return local
    registered = await _registered(shell, base)
    here = await _local(shell, base) if registry_first and not registered.digest else None
    return here or registered


async def _local(shell: Shell, base: FromImage) -> ResolvedImage | None:
    # With its tag: the engine also answers to the beginning of an id, as `cafe` is one.
    found = await engine.image(shell, full_name(base.name))
    return ResolvedImage(base, registry_digest(found.digests, base.name), found.id) if found else None


async def _registered(shell: Shell, base: FromImage) -> ResolvedImage:
    try:
        return ResolvedImage(base, await engine.digest_in_registry(shell, base.name))
    except Unreachable:
        raise
    except TimedOut:
        return ResolvedImage(base, why=f"no answer within {engine.REGISTRY_TIMEOUT_S:.0f} s")
    except SparkError as error:
        return ResolvedImage(base, why=_in_a_line(error.cause))


def _in_a_line(cause: str) -> str:
    """A registry's own words, on one line and not too many."""
    return " ".join(printable(cause).removeprefix("docker says: ").split())[:200] or "no reason was given"
