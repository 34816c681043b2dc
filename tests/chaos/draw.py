"""A seed decides verb, fault and moment: the same seed draws the same trials, one by one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Draw:
    """One trial to be made; `moment` is the part of the verb's time at which the fault comes."""

    seed: int
    number: int
    verb: str
    fault: str
    moment: float

    @property
    def key(self) -> tuple[int, int, str, str]:
        """What makes it the same trial when a run is taken up again."""
        return (self.seed, self.number, self.verb, self.fault)

    def __str__(self) -> str:
        return f"#{self.number} {self.verb} × {self.fault} (seed {self.seed})"


def drawn(seed: int, count: int, pairs: Mapping[str, Sequence[str]]) -> list[Draw]:
    """`count` trials; each depends on the seed and its own number alone. Verbs come up equally often."""
    found = []
    for number in range(1, count + 1):
        source = random.Random(f"{seed}/{number}")
        verb = source.choice(sorted(pairs))
        found.append(Draw(seed, number, verb, source.choice(pairs[verb]), source.random()))
    return found


def named(seed: int, words: Sequence[tuple[str, str]]) -> list[Draw]:
    """Trials of these verbs and faults; the seed and their names decide the moment."""
    return [
        Draw(seed, number, verb, fault, random.Random(f"{seed} {verb} {fault}").random())
        for number, (verb, fault) in enumerate(words, 1)
    ]
