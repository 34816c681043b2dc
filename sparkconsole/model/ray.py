"""Members of a Ray cluster as its head's dashboard tells them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RayMember:
    """One entry of the head's list. A node that came back is a new entry; its old one stays, dead."""

    id: str
    address: str
    head: bool = False
    alive: bool = False
    gpus: float = 0.0
    """GPUs this member offers; Ray leaves the resource out when there are none."""
    message: str = ""
    """Why it is dead, in Ray's words."""


def living(members: Iterable[RayMember]) -> dict[str, RayMember]:
    """The member that is alive at each address; dead entries of the same address do not count."""
    return {m.address: m for m in members if m.alive}


def last_words(members: Iterable[RayMember], address: str) -> str:
    """What Ray said when the member at `address` died; empty when it never had one, or one is alive."""
    here = [m for m in members if m.address == address]
    if any(m.alive for m in here):
        return ""
    return next((m.message for m in here if m.message), "")


def gpu_count(members: Iterable[RayMember]) -> int:
    """Whole GPUs that living members offer."""
    return int(sum(m.gpus for m in members if m.alive))
