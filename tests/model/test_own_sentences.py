"""What our texts say that a launch does, its plan has: a remedy must not lean on what is not so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from sparkconsole.model.fabric.links import NodeNetwork
from sparkconsole.model.launch.docker_run import container_argv
from sparkconsole.model.launch.spec import Backend, LaunchSpec, Role, Seat
from tests.conftest import ROOT

CLAIM = re.compile(r"\blaunch (?:does|sets|gives|starts|mounts|adds|passes)\b")
FLAG = re.compile(
    r"--[a-z][a-z-]+(?:=\S+| (?:\d\S*|host|all|\w+=\S+))?|\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+(?:=\S+)?"
)
"""A flag with the value behind it, or a variable: what a text says that a container gets."""


def texts() -> Iterator[tuple[str, str]]:
    """Every text of the sources, with where it stands."""
    for path in sorted((ROOT / "sparkconsole").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


NOT_FOR_THE_CONTAINER = ("--force", "--repair", "--gpu-memory-utilization", "--gate")
"""Words for other programs that stand in the same text."""


def network(address: str) -> NodeNetwork:
    hcas = ("rocep1s0f1", "roceP2p1s0f1")
    return NodeNetwork(eth_if="enp1s0f1np1", address=address, hcas=hcas, mtu=9000, gid_index=3)


def launched() -> str:
    """Both containers of a launch, and Ray's command in them, as one text."""
    head = Seat("a", Role.HEAD, "/home/ann", network("192.168.177.11"), "192.168.177.11")
    worker = Seat("b", Role.WORKER, "/home/ann", network("192.168.177.12"), "192.168.177.11")
    argvs = (
        container_argv(LaunchSpec(backend=b), s) for b in (Backend.RAY, Backend.NONE) for s in (head, worker)
    )
    return " ".join(word for argv in argvs for word in argv)


def lacking(text: str, plan: str) -> list[str]:
    """Of what the text says that a launch gives: what its plan does not have."""
    clauses = [c for c in re.split(r", or |; ", text) if CLAIM.search(c)]
    said = (m[0] for clause in clauses for m in FLAG.finditer(clause))
    words = [w for w in said if not w.startswith(NOT_FOR_THE_CONTAINER)]
    spelled = plan.replace("=", " ")
    return [w for w in words if w.replace("=", " ") not in spelled]


def test_what_a_launch_is_said_to_do_stands_in_its_plan() -> None:
    claims = [(where, text) for where, text in texts() if CLAIM.search(text) and FLAG.search(text)]
    assert claims, "some texts do say what a launch does"
    plan = launched()
    untrue = {where: words for where, text in claims if (words := lacking(text, plan))}
    assert untrue == {}


def test_a_claim_that_is_not_so_is_found() -> None:
    plan = launched()
    assert lacking("start it with --ulimit nofile=1048576, as sparkconsole launch does", plan)
    assert lacking("NCCL_NET=IB, which sparkconsole launch sets", plan)
    assert not lacking("start it with --privileged and --ipc host, as sparkconsole launch does", plan)
