"""The ways in which one node says too much: by a program of its own, its services, its sshd, or what is asked of it."""

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
    """Scripts that the node's commands find first: `python3` is its sampler, `sh-s` what is asked for facts."""
    services: Mapping[str, str] = field(default_factory=dict)
    """Which of tests.flood.services floods, and how."""
    sshd: str = ""
    """Lines of its sshd's configuration; `{folder}` is its own."""
    front: str = ""
    """What listens instead of its sshd: `banner`, `words` or `hangs up`."""
    asked: str = "status"
    """What is asked on the command line meanwhile."""
    keys: str = ""
    """What is typed into the console."""


def python(text: str) -> str:
    """A program of the node in this Python."""
    return f"#!{sys.executable} -u\nimport json, sys, time\nw = sys.stdout.write\n{text}"


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
    w(json.dumps({"t": 1, "m": i, "rails": {"n" * 1_000_000 + str(i): [True, 1, 1, 0]}, "gpu_error": "e" * 999}) + "\\n")
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
WAYS = (
    Way("nothing floods"),
    Way("sampler: bytes without a line", {"python3": "exec cat /dev/zero"}),
    Way("sampler: short lines", {"python3": "exec yes"}),
    Way("sampler: valid samples", {"python3": f"exec yes '{SAMPLE}'"}),
    Way("sampler: new names in every sample", {"python3": python(NAMED)}),
    Way("sampler: names of a megabyte", {"python3": python(LONG)}),
    Way("sampler: brackets that open", {"python3": "while :; do head -c 900000 /dev/zero | tr '\\0' '['; echo; done"}),
    Way("sampler: errors without end", {"python3": "exec yes >&2"}),
    Way("sampler: escape sequences, titles, text from right to left", {"python3": python(SIGNS)}),
    Way("sampler: a byte a second", {"python3": python(DRIP)}),
    Way("facts: 5 GB", {"sh-s": "exec head -c 5000000000 /dev/zero"}),
    Way("facts: errors without end", {"sh-s": "exec yes >&2"}),
    Way("every command: both outputs", {"python3": "yes >&2 & exec yes", "sh-s": "yes >&2 & exec yes",
                                        "timeout": "yes >&2 & exec yes"}),
    Way("login: banner of the SSH protocol without end", front="banner"),
    Way("login: lines before the protocol", front="words"),
    Way("login: connections closed at once", front="hangs up"),
    Way("login: 1 MB of sshd's Banner", sshd="Banner {folder}/banner\n"),
    Way("login shell: prints without end", sshd="ForceCommand yes\n"),
    Way("docker: list of containers without end", services={"docker/containers/json": "endless"}),
    Way("docker: list of images without end", services={"docker/images/json": "endless"}),
    Way("docker: 200,000 images", services={"docker/images/json": "many"}),
    Way("docker: 200,000 containers", services={"docker/containers/json": "many"}),
    Way("docker: headers without end", services={"docker": "headers"}),
    Way("docker: one header without end", services={"docker": "long_header"}),
    Way("docker: brackets that open", services={"docker/containers/json": "deep"}),
    Way("docker: a byte a second", services={"docker/containers/json": "drip"}),
    Way("docker log: a frame of 4 GiB", services={"docker/logs": "giant"}, asked="logs --tail 5", keys="5"),
    Way("docker log: a million lines a second", services={"docker/logs": "lines"}, asked="logs --tail 5", keys="5"),
    Way("vllm: gzip that unpacks to 10 GB", services={"vllm/metrics": "bomb"}),
    Way("vllm: models without end", services={"vllm/v1/models": "endless"}),
    Way("ray: members without end", services={"ray": "endless"}),
    Way("ray: 200,000 members", services={"ray": "members"}),
    Way("ray: one header without end", services={"ray": "long_header"}),
    Way("node exec: head -c 300000000 /dev/zero", asked="node exec -- head -c 300000000 /dev/zero"),
    Way("node exec: yes", asked="node exec -- yes"),
)  # fmt: skip
