"""The ways in which one node says too much: by its programs, services and sshd, or when asked."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

BAD = "spark-01"
"""The node that floods: the head, whom most is asked."""
NAMES = (BAD, "spark-02", "spark-03", "spark-04")


@dataclass(frozen=True)
class Way:
    """One of them; everything that it does not name is healthy."""

    name: str
    programs: Mapping[str, str] = field(default_factory=dict)
    """Scripts that the node's commands find first: `python3` is its sampler, `sh-s` is asked for facts."""
    services: Mapping[str, str] = field(default_factory=dict)
    """Which of tests.flood.services floods, and how."""
    sshd: str = ""
    """Lines of its sshd's configuration; `{folder}` is its own."""
    front: str = ""
    """What listens instead of its sshd: `banner`, `words` or `hangs up`."""
    asked: str = "status"
    """What is asked on the command line meanwhile."""
    says: str = ""
    """A word of the sentence there; empty: any that names the node."""
    keys: str = ""
    """What is typed into the console."""


def python(text: str) -> str:
    """A program of the node in this Python."""
    return f"#!{sys.executable} -u\nimport json, sys, time\nw = sys.stdout.write\n{text}"


# These rest on purpose: at their pace nothing is a flood by its bytes.
NAMED = """
i = 0
while True:
    names = [f"{i}-{n}" for n in range(64)]
    i += 1
    row = {n: [i % 2 == 0, 1, 1, i] for n in names}
    w(json.dumps({"t": 1, "m": time.monotonic(), "rails": row, "nets": row}) + "\\n")
    time.sleep(0.06)
"""
LONG = """
i = 0
while True:
    i += 1
    rails = {"n" * 1_000_000 + str(i): [True, 1, 1, 0]}
    w(json.dumps({"t": 1, "m": i, "rails": rails, "gpu_error": "e" * 999}) + "\\n")
"""
SIGNS = """
junk = "\\x1b]0;owned\\x07\\x1b[2J\\x1b[31m\\u202e\\u200b\\u0301[/x][bold]\\x9b1m\\r\\a\\u0000"
i = 0
while True:
    i += 1
    text = junk * 8 + str(i)
    gpu = {"name": text, "uuid": text, "util": 1.0, "driver": text, "pstate": text}
    said = {"t": 1, "m": time.monotonic(), "rails": {text: [True, 1, 1, i]}, "gpus": [gpu], "gpu_error": text,
            "procs": [[1, text, 1]], "kernel": ["NVRM: Xid 79 " + text]}
    w(json.dumps(said) + "\\n")
    w(text + "\\n")
    time.sleep(0.1)
"""
DRIP = """
while True:
    w("x")
    sys.stdout.flush()
    time.sleep(1)
"""
SAMPLE = '{"t": 1, "m": 1, "mem": [128524877824, 97000000000, 0, 0], "rails": {"r": [true, 1, 1, 0]}}'
WATCH, LOGS, IMAGES = "status --watch --count 4", "logs --tail 5", "image list"
MUCH = "says too much"


def sampler(name: str, program: str, says: str = MUCH) -> Way:
    """A node whose sampler is this program."""
    return Way(f"sampler: {name}", {"python3": program}, asked=WATCH, says=says)


def docker(name: str, path: str, kind: str, asked: str, says: str = MUCH, keys: str = "") -> Way:
    """A node whose engine floods on this path."""
    return Way(f"docker: {name}", services={f"docker/{path}": kind}, asked=asked, says=says, keys=keys)


NESTED = "while :; do head -c 900000 /dev/zero | tr '\\0' '['; echo; done"
BOTH = "yes >&2 & exec yes"
WAYS = (
    Way("nothing floods"),
    sampler("bytes without a line", "exec cat /dev/zero"),
    sampler("short lines", "exec yes"),
    sampler("valid samples", f"exec yes '{SAMPLE}'", ""),
    sampler("new names in every sample", python(NAMED), ""),
    sampler("names of a megabyte", python(LONG), ""),
    sampler("brackets that open", NESTED),
    sampler("errors without end", "exec yes >&2"),
    sampler("escape sequences, titles, text from right to left", python(SIGNS), ""),
    sampler("a byte a second", python(DRIP), "no reading comes"),
    Way("facts: 5 GB", {"sh-s": "exec head -c 5000000000 /dev/zero"}, says=MUCH),
    Way("facts: errors without end", {"sh-s": "exec yes >&2"}, says=MUCH),
    Way("every command: both outputs", dict.fromkeys(("python3", "sh-s", "timeout"), BOTH), says=MUCH),
    Way("login: banner of the SSH protocol without end", front="banner", says=MUCH),
    Way("login: lines before the protocol", front="words", says=MUCH),
    Way("login: connections closed at once", front="hangs up", says="before login"),
    Way("login: 1 MB of sshd's Banner", sshd="Banner {folder}/banner\n", says="before login"),
    Way("login shell: prints without end", sshd="ForceCommand yes\n", says=MUCH),
    docker("containers without end", "containers/", "endless", LOGS),
    docker("images without end", "images/json", "endless", IMAGES),
    docker("40,000 images", "images/json", "many", IMAGES),
    docker("40,000 containers", "containers/json", "many", LOGS, ""),
    docker("headers without end", "", "headers", LOGS),
    docker("one header without end", "", "long_header", LOGS),
    docker("brackets that open", "images/json", "deep", IMAGES, "Docker would not say"),
    docker("a byte a second", "images/json", "drip", IMAGES, "did not answer"),
    docker("a log's frame of 4 GiB", "logs", "giant", LOGS, MUCH, "2"),
    docker("a log of a million lines a second", "logs", "lines", LOGS, MUCH, "2"),
    Way("vllm: gzip that unpacks to 10 GB", services={"vllm/metrics": "bomb"}),
    Way("vllm: models without end", services={"vllm/v1/models": "endless"}),
    Way("ray: members without end", services={"ray": "endless"}),
    Way("ray: 50,000 members", services={"ray": "members"}),
    Way("ray: one header without end", services={"ray": "long_header"}),
    Way("node exec: head -c 300000000 /dev/zero", asked="node exec -- head -c 300000000 /dev/zero"),
    Way("node exec: yes", asked="node exec -- yes"),
)
