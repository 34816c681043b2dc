"""Where a node keeps what comes from the Hugging Face hub: mounted, listed, copied and fitted alike.

As huggingface_hub (constants.py, 0.20 to 1.x) finds it: HF_HUB_CACHE, else HF_HOME and `hub` in it, else
`huggingface` in XDG_CACHE_HOME, else ~/.cache/huggingface.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from sparkconsole.model.facts import NodeFacts

USUAL = ".cache/huggingface"
"""Below the home; and the same in a container, below /root."""
INSIDE = f"/root/{USUAL}"


@dataclass(frozen=True, slots=True)
class HfCache:
    """Both folders by their whole paths on the node."""

    home: str
    """HF_HOME: the token and, unless it was moved by itself, the hub's folder."""
    hub: str
    """HF_HUB_CACHE: a folder `models--OWNER--NAME` for every model."""
    usual: bool = True
    """~/.cache/huggingface: nobody said otherwise."""

    def with_folders(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The command, with the folders in its environment where they are not the usual ones."""
        if self.usual:
            return tuple(argv)
        return ("env", f"HF_HOME={self.home}", f"HF_HUB_CACHE={self.hub}", *argv)

    def mounts(self) -> tuple[tuple[str, str], ...]:
        """What a container gets, and where: both folders stand there where vLLM looks by itself."""
        inside = () if self.hub == f"{self.home}/hub" else ((self.hub, f"{INSIDE}/hub"),)
        return ((self.home, INSIDE), *inside)

    def short(self, home: str) -> str:
        """The folder as a person writes it: `~` for the login's home."""
        return f"~{self.home.removeprefix(home)}" if home and self.home.startswith(f"{home}/") else self.home


def usual_cache(home: str) -> HfCache:
    """The one of a login whose home that is and who said nothing."""
    return HfCache(f"{home}/{USUAL}", f"{home}/{USUAL}/hub")


def as_word(path: str) -> str:
    """A path as a shell takes it; `~/` stays what it means."""
    home = "~/" * path.startswith("~/")
    return home + shlex.quote(path.removeprefix(home))


def models_at(facts: NodeFacts) -> str:
    """The folder of a node's models as a person writes it."""
    return HfCache(facts.hf_cache, "").short(facts.home) if facts.hf_cache else f"~/{USUAL}"
