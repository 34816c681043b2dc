"""The processes of a container become the `vllm serve` ranks among them; what only mentions vLLM is none."""

from __future__ import annotations

from collections.abc import Sequence

from sparkconsole.model.serve.engine import LiveRank

_BETWEEN = "\x1f"


def parse_ranks(text: str, node: str) -> tuple[LiveRank, ...]:
    """Lines `process PID GROUP WORDS` (parted by 0x1f) and `job GROUP FILE.pid`; one rank a group."""
    jobs: dict[int, str] = {}
    groups: dict[int, tuple[str, ...]] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        first, _, rest = rest.partition(" ")
        if kind == "job" and first.isdigit():
            jobs[int(first)] = rest.removesuffix(".pid")
        elif kind == "process":
            group, _, words = rest.partition(" ")
            command = _command(words.rstrip(_BETWEEN).split(_BETWEEN))
            if command and group.isdigit():
                groups.setdefault(int(group), command)
    return tuple(LiveRank(node, group, words, jobs.get(group, "")) for group, words in sorted(groups.items()))


def _command(words: Sequence[str]) -> tuple[str, ...]:
    """From `vllm` on, whatever runs it: python, env, a shell that waits for it."""
    for at, word in enumerate(words[:-1]):
        if word.rpartition("/")[2] == "vllm" and words[at + 1] == "serve":
            return ("vllm", *words[at + 1 :])
    return ()
