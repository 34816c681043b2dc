"""What a verb under faults is: its words, what it needs, when it is in the middle, what it promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.chaos.scene import Scene
from tests.chaos.screen import Face

SIGNALS = ("ctrl-c", "terminated", "hung up", "killed")
LINK = (
    "session killed", "sshd restarted", "management blip", "management cut", "power", "power and boot",
    "operator gone for 20 s",
)  # fmt: skip
JOURNAL = ("journal full", "journal read-only", "journal removed")
NEEDS = ("", "cluster", "server")
"""Of one trial the next one takes over a cluster that is whole, and a server that answers."""
ON_SCREEN = "on the screen: "
_NOT_ON_SCREEN = {"ctrl-c", "two consoles", "journal full", "journal removed"}
"""Not done to the screen: keys that end no verb there, and what is only said at the verb's end."""


def nothing(_: Scene) -> None:
    """Needs no preparation."""


def at_once(_: Scene, console: Face) -> bool:
    """In the middle from its first line on."""
    return console.spoke


@dataclass(frozen=True)
class Verb:
    """`reached` is what it promises, as the nodes have it; RuntimeError where they cannot be read."""

    name: str
    words: Callable[[Scene], tuple[str, ...]]
    reached: Callable[[Scene], bool]
    under: tuple[str, ...]
    """The faults that it is put under."""
    prepare: Callable[[Scene], Any] = nothing
    under_way: Callable[[Scene, Face], bool] | None = at_once
    """None: the fault comes before the verb."""
    node: int = 2
    """The node that faults are done to."""
    spread_s: float = 4.0
    """The fault comes up to so long after the verb is in the middle."""
    limit_s: float = 150.0
    needs: str = ""
    """What has to stand before it, one of NEEDS: trials that need the same come one after the other."""
    looks: bool = False
    slowed: bool = False
    """Its way to node 2 is slow until the fault has come."""
    leaves: tuple[str, ...] = ()
    """Kinds of things that it is for: on the nodes afterwards they are no litter."""
    lasts: bool = False
    """It ends when it is told to, and has until then to reach what it promises."""
    on_screen: bool = False
    """It is typed into the full-screen console, whose words are read off its screen."""

    def start(self, scene: Scene) -> Face:
        """The face that it is said to."""
        return scene.open(*self.words(scene)) if self.on_screen else scene.start(*self.words(scene))


def on_screen(verb: Verb) -> Verb:
    """The same verb, typed into the full-screen console."""
    under = tuple(fault for fault in verb.under if fault not in _NOT_ON_SCREEN)
    return replace(verb, name=f"{ON_SCREEN}{verb.name}", under=under, on_screen=True)
