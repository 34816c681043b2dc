"""Which findings are of one thing: of one kill by the kernel (who asked, who died), of one error of a GPU."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sparkconsole.model.logs.diagnosis import Diagnosis
from sparkconsole.parse.known.oom import ASKED, KILLED, VICTIM

_CGROUP = "cgroup-oom"
_RANKS = {KILLED: 0, _CGROUP: 0, VICTIM: 1, ASKED: 2}
"""The lower, the more a line knows of a kill."""
_XID = re.compile(r"\bXid (\d+)")
_PROCESS = re.compile(r"\bprocess (\d+)|\bpid=(\d+)")


class Kills:
    """Fed with every finding; a process dies once."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str, str]] = set()

    def is_new(self, one: Diagnosis) -> bool:
        """Whether the finding is not one more line of the same kind of a kill that was told."""
        process = _PROCESS.search(one.line) if one.id in _RANKS else None
        if process is None:
            return True
        key = (one.id, one.node, process[1] or process[2])
        new = key not in self._seen
        self._seen.add(key)
        return new


def subject(one: Diagnosis) -> str:
    """What tells two findings of one kind apart: the killed program, the number of the GPU's error."""
    if _RANKS.get(one.id) == 0:
        return f"{one.id} {one.text}"
    number = _XID.search(one.text)
    return f"{one.id} {number[1]}" if number else one.id


def best_known(found: Iterable[Diagnosis]) -> list[Diagnosis]:
    """Of a node's kills only the lines that know most of them: the victim before who asked for memory."""
    every = list(found)
    best: dict[str, int] = {}
    for one in every:
        if one.id in _RANKS:
            best[one.node] = min(best.get(one.node, 9), _RANKS[one.id])
    return [d for d in every if d.id not in _RANKS or _RANKS[d.id] == best[d.node]]
