"""What a log says when things go on, or go well: how far it came, and whether it ended as it should."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sparkconsole.model.text.literals import Sieve

_AT_ONCE = 8
"""Characters of the shortest answers, at most."""


@dataclass(frozen=True, slots=True)
class Move:
    """A line that says that something moved."""

    stage: str
    """What goes on from here: `loading weights`."""
    alive: bool = False
    """It is a proof: a server that answers, a request that ended, an image that is there, an exit with 0."""


_ALIVE = re.compile(
    r"Daemon has completed initialization|Fetching \d+ files: 100%|^Download complete: +100%|"
    r"Application startup complete|Uvicorn running on|Avg (?:prompt|generation) throughput|"
    r"\"(?:GET|POST|HEAD) [^\"]{1,200}\" 2\d\d\b|^Successful requests: +[1-9]|\"completed\": [1-9]|"
    r"naming to \S{1,200} (?:\S{1,40} )?done|"
    r"[Ss]uccessfully (?:built|tagged|installed|loaded|copied|pulled|pushed)\b|"
    r"writing image sha256:\S{64} (?:\S{1,40} )?done|exporting manifest list \S{1,90} (?:\S{1,40} )?done|"
    r"^Loaded image|^Status: (?:Downloaded newer image|Image is up to date)|Ray runtime started|^Active:$|"
    r"\"state\": ?\"ALIVE\"|\"rayletState\": ?\"ALIVE\"|# Out of bounds values : 0 OK|# Avg bus bandwidth|"
    r"\bInit COMPLETE\b|\bInit START\b.{0,40}Done|status=0/SUCCESS|Deactivated successfully|"
    r"\bexit(?:ed)?(?: with)?(?: exit)? ?(?:code|status):? 0\b|\brc=0\b|^Build complete|"
    r"^Finished .{1,120}\.$|\bcopy ended: save=0 stream=0 load=0|"
    r"\"object\": ?\"(?:list|chat\.completion|text_completion)|^Server (?:ready|started)|\bserver is ready\b|"
    r"\bis healthy\b|\bhealthy: true\b|^\"?success\"?$|\b0% packet loss|Graceful shutdown|"
    r"^(?:\S{1,40}\[\d+\]: )?Started (?:[\w@\\.:-]{1,120}\.(?:service|socket)\b|[A-Z].{1,120}\.$)|"
    r"Reached target (?:multi-user|graphical|Multi-User|Graphical)|Finished server process|"
    r"Application shutdown complete"
)
_ALIVE_AT_ONCE = re.compile(r"^(?:OK|ok|done)\.?$")
_POLL = re.compile(r"\"(?:GET|HEAD) /(?:health|metrics|ping)[ ?/][^\"]{0,200}\" 200\b")
CUT = re.compile(
    r"^Connection to \S{1,120} closed by remote host|^client_loop: send disconnect|^Broken pipe$"
)
"""The way by which the log came ended: how things went on is not known."""
_STAGES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (stage, re.compile(pattern))
    for stage, pattern in (
        ("starting the API server", r"Starting vLLM (?:API )?server|Started server process|Waiting for "
        r"application startup"),
        ("capturing CUDA graphs", r"Capturing (?:CUDA )?[Gg]raph|Graph capturing|Capturing CUDA graph"),
        ("making the KV cache", r"KV cache size|Available KV cache memory|Maximum concurrency for|init "
        r"engine \("),
        ("compiling", r"torch\.compile tak|torch\.compile took|Compiling a graph|Dynamo bytecode transform|"
        r"Using cache directory"),
        (
            "loading weights",
            r"Starting to load model|Loading .{1,60} checkpoint shards|Loading weights took|"
            r"Model loading took|% Completed \||Time spent downloading weights|Multi-thread loading|"
            r"Loading model weights",
        ),
        ("downloading", r"Fetching \d+ files|Downloading |: Pulling fs layer|: Download(?:ing| complete)|: "
        r"Extracting|: Pull complete"),
        ("waiting for a placement group", r"placement group"),
        ("joining Ray", r"Connecting to existing Ray|Connected to Ray|Local node IP|Started a local Ray"),
        ("connecting NCCL", r"NCCL INFO|world_size=\d+ rank=|ProcessGroup|\bnccl==\d"),
        ("starting the engine", r"Initializing an? .{0,20}engine|non-default args|Resolved architecture|"
        r"version \d+\.\d+"),
        ("building the image", r"^#\d+ (?:\[|DONE|CACHED|sha256|transferring|resolve|extracting)|^#\d+ |^ "
        r"=> |^Step \d+/\d+ :|^\[\d+/\d+\] "),
        ("compiling", r"^\[ *\d+%\] |^\[\d+/\d+\] (?:Building|Linking)|^(?:gcc|g\+\+|nvcc|cc) "),
        ("installing packages", r"^Collecting |^Using Python |^Resolved \d+ packages|^Prepared \d+|"
        r"^Installed \d+|^Get:\d+ |^Unpacking |^Setting up "),
    )
)  # fmt: skip


_SIEVE = Sieve([_ALIVE, *(pattern for _, pattern in _STAGES)])


def is_poll(text: str) -> bool:
    """What somebody asks again and again was answered well: no proof, an API outlives its engine.

    vLLM's /health stays 200 for minutes after a rank died.
    """
    return " 200" in text and _POLL.search(text) is not None


@lru_cache(maxsize=64)
def move(text: str) -> Move | None:
    """What the message of one line says of a step forward; None: nothing. One line is asked about twice."""
    may_fit = _SIEVE.may_fit(text)
    if (0 in may_fit and _ALIVE.search(text)) or (len(text) < _AT_ONCE and _ALIVE_AT_ONCE.match(text)):
        return Move("working", alive=True)
    stages = (_STAGES[i - 1] for i in may_fit if i)
    return next((Move(stage) for stage, pattern in stages if pattern.search(text)), None)
