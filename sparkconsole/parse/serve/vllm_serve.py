"""The log of `vllm serve`, 0.11 to 0.33: how far a start is, and the first real cause when it fails;
and its processes in a container.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sparkconsole.model.logs.diagnosis import LineKind, first_error
from sparkconsole.model.serve.engine import LiveRank
from sparkconsole.model.serve.spec import ServeProgress, StartFailure, StartPhase
from sparkconsole.parse.diagnose.explain import read
from sparkconsole.parse.diagnose.log_frame import framed
from sparkconsole.parse.values import whole

_CONCURRENCY = re.compile(
    r"Maximum concurrency for (?P<length>[\d,]+) tokens per request: (?P<times>[\d.]+)x"
)
_OWN_POLL = re.compile(
    r'INFO: +(?:127\.0\.0\.1|\[?::1\]?):\d+ - "GET /(?:health|metrics) HTTP/[\d.]+" 200 OK'
)
"""Uvicorn's access log. Who asks from elsewhere, and what is not answered well, stays."""
_STEPS: tuple[tuple[StartPhase, re.Pattern[str]], ...] = tuple(
    (phase, re.compile(pattern))
    for phase, pattern in (
        (StartPhase.ENGINE, r"version \d+\.\d+|non-default args|Resolved architecture: (?P<detail>\S+)"),
        (StartPhase.ENGINE, r"Initializing a V1 LLM engine|Connecting to existing Ray cluster"),
        (StartPhase.ENGINE, r"(?P<detail>Waiting for creating a placement group .{0,300}? for \d+ seconds)"),
        (StartPhase.WEIGHTS, r"Starting to load model (?P<detail>\S+?)\.\.\."),
        (
            StartPhase.WEIGHTS,
            r"(?:Loading|Multi-thread loading).{0,200}?: +(?P<percent>\d+)% Completed \| "
            r"(?P<detail>\S+/\S+) \[",
        ),
        (StartPhase.WEIGHTS, r"(?P<detail>Loading weights took [\d.]+ seconds)|Model loading took"),
        (StartPhase.COMPILE, r"(?P<detail>Compiling a graph for .*)|torch\.compile tak|torch\.compile took"),
        (
            StartPhase.CACHE,
            r"KV cache size: (?P<detail>[\d,]+ tokens)|Available KV cache memory: (?P<memory>.*)",
        ),
        (StartPhase.CACHE, r"Maximum concurrency for [\d,]+ tokens per request"),
        (StartPhase.GRAPHS, r"Capturing CUDA graphs?.{0,200}?: +(?P<percent>\d+)%|Graph capturing finished"),
        (StartPhase.SERVER, r"Starting vLLM (?:API )?server"),
        (StartPhase.SERVER, r"Application startup complete\."),
    )
)
_BETWEEN = "\x1f"


def is_own_poll(line: str) -> bool:
    """The server answered what a console asks on its node again and again: such lines hide all others."""
    return _OWN_POLL.search(line) is not None


def read_line(line: str) -> ServeProgress | None:
    """What one line says of a start; None: nothing."""
    text = framed(line).text
    for phase, pattern in _STEPS:
        if match := pattern.search(text):
            groups = match.groupdict()
            percent = groups.get("percent")
            detail = groups.get("detail") or groups.get("memory") or ""
            sentence = ", ".join(filter(None, (detail, _concurrency(text))))
            return ServeProgress(phase, float(percent) if percent else None, sentence)
    return None


def _concurrency(text: str) -> str:
    """How many of the longest requests fit: a line of its own up to 0.24, behind the cache's size later."""
    match = _CONCURRENCY.search(text)
    return f"{match['times']} requests of {match['length']} tokens" if match else ""


def first_cause(lines: Iterable[str]) -> StartFailure | None:
    """The first real cause in a log; None for a log without one. Consequences never count as causes.

    A known cause wins; else the first exception or death of a process, whichever came first.
    """
    one = first_error(read(lines))
    if one is None or one.kind is LineKind.CONSEQUENCE:
        return None
    known = one.kind is LineKind.CAUSE
    return StartFailure(one.line[:400], one.text, one.remedy, one.number, known, one.id)


def parse_ranks(text: str, node: str) -> tuple[LiveRank, ...]:
    """Lines `process PID GROUP WORDS` (parted by 0x1f) and `job GROUP FILE.pid`; one rank a group."""
    jobs: dict[int, str] = {}
    groups: dict[int, tuple[str, ...]] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        first, _, rest = rest.partition(" ")
        if kind == "job" and (number := whole(first)) is not None:
            jobs[number] = rest.removesuffix(".pid")
        elif kind == "process":
            group, _, words = rest.partition(" ")
            command = _command(words.rstrip(_BETWEEN).split(_BETWEEN))
            if command and (number := whole(group)) is not None:
                groups.setdefault(number, command)
    return tuple(LiveRank(node, group, words, jobs.get(group, "")) for group, words in sorted(groups.items()))


def _command(words: Sequence[str]) -> tuple[str, ...]:
    """From `vllm` on, whatever runs it: python, env, a shell that waits for it."""
    for at, word in enumerate(words[:-1]):
        if word.rpartition("/")[2] == "vllm" and words[at + 1] == "serve":
            return ("vllm", *words[at + 1 :])
    return ()
