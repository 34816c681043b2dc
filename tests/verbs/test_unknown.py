"""Unknown is unknown: of what nobody could look at, no view says how it is, in text or in JSON.

Every view of the registry is asked while nodes, their Docker or their GPU's driver do not answer. A pretend
cluster shows the words, not that a real node is found out to be silent: tests/real does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.demo.faults import inject
from sparkconsole.verbs.grammar import registry
from tests.verbs.operated import MODEL, Operated, lines, operated

HELD = "openai/gpt-oss-120b"
VIEWS: Mapping[str, tuple[str, ...]] = {
    "bench compare": (),
    "bench list": (),
    "bench run": ("bench run --num-prompts 20",),
    "bench show": (),
    "check": ("check", "check --env"),
    "doctor": ("doctor", "doctor --skew"),
    "exec": ("exec -- true",),
    "fabric history": (),
    "fabric test": ("fabric test", "fabric test --quick"),
    "image list": ("image list", "image list vllm-node", "image list nobody-has-this"),
    "logs": ("logs --tail 3", "logs serve", "logs kernel --tail 3", "logs container ray"),
    "model fit": (f"model fit {HELD}", f"model fit {MODEL}"),
    "model list": ("model list",),
    "model verify": (f"model verify {HELD}",),
    "node list": ("node list", "node list --check"),
    "node scan": ("node scan",),
    "node shell": (),
    "runs attach": ("runs attach SERVE",),
    "runs compare": (),
    "runs export": ("runs export SERVE",),
    "runs list": ("runs list",),
    "runs show": ("runs show SERVE",),
    "serve status": ("serve status",),
    "status": ("status", "status --watch --count 1"),
    "wait-for": tuple(f"wait-for {what} --timeout 5" for what in ("nodes", "ray", "server", "image")),
}
"""How each view is asked; those without a line look at files of this machine alone, or open a shell."""
APART = ("config", "demo", "explain", "web")
"""First words of views that say nothing about nodes."""

UNREACHED = ("not running", "none", "stopped", "absent", "missing", "not there", "no container", "no server")
UNREACHED = (*UNREACHED, "does not run", "healthy", "0 B", "0/", "not a member", "lost", "never launched")
"""Words that say how something is; about a node that is not reached nobody can."""
OF_DOCKER = ("no container", "absent", "does not run", "not running", "stopped", "something else", "ended")
OF_GPUS = ("no GPU", "GPU 0", "0 GPU", "0 %", "idle")
SAID_ANYWAY = (
    "node",
    "name",
    "head",
    "local",
    "reachable",
    "role",
    "ib_if",
    "image_unknown",
    "time",
    "job",
    "fix",
)
"""Keys of a node's JSON that its inventory or the look itself answers."""


async def served(tmp_path: Path, demo: Operated) -> None:
    for line in ("image build", "image copy --to all", "launch", f"serve {MODEL}"):
        await demo.says(line)


def asked(demo: Operated) -> Iterator[str]:
    run = next(r for r in demo.session.journal.runs() if r.words[0] == "serve")
    for line in (line for forms in VIEWS.values() for line in forms):
        yield line.replace("SERVE", run.id)


def test_every_view_of_the_registry_is_asked() -> None:
    views = {" ".join(w) for w, v in registry.load().items() if not v.changes and not v.local}
    assert {v for v in views if v.split()[0] not in APART} == set(VIEWS)


def about(data: Any, node: str, *, within: bool = False) -> Iterator[tuple[str, Any]]:
    """Every value that a JSON answer gives to a node: under its name, or in an object that names it."""
    if isinstance(data, Mapping):
        named = within or node in (data.get("node"), data.get("name"), data.get("address"))
        for key, value in data.items():
            if (named or key == node) and key not in SAID_ANYWAY:
                yield key, value
            yield from about(value, node, within=key == node)
    elif isinstance(data, (list, tuple)):
        for item in data:
            yield from about(item, node)


def blank(value: Any) -> bool:
    """A value that a program would take for a fact."""
    return value is False or (value is not None and not isinstance(value, str) and not value)


@pytest.mark.parametrize("fault", ["cut", "lost"])
@pytest.mark.parametrize("nodes", [("spark-01",), ("spark-02",), ("spark-01", "spark-02")], ids="+".join)
async def test_of_a_node_that_is_not_reached_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: tuple[str, ...], fault: str
) -> None:
    wrong: list[tuple[str, object]] = []
    async with operated(tmp_path, monkeypatch) as demo:
        await served(tmp_path, demo)
        for node in nodes:
            inject(demo.pretend.machines[node], fault)
        for line in asked(demo):
            answer = await demo.answer_or_error(line)
            own = not line.startswith(("runs", "node list"))  # the journal and the inventory are ours
            every = len(nodes) == 2
            head = ("Ray:", "server on", "server:") if "spark-01" in nodes else ()
            told = [t for t in lines(answer) if any(n in t for n in nodes) or t.startswith(head or ("\0",))]
            wrong += [(line, text) for text in told if own and any(word in text for word in UNREACHED)]
            for node in nodes:
                wrong += [(line, found) for found in about(answer.data, node) if own and blank(found[1])]
            if every and own:
                wrong += [(line, (k, v)) for k, v in answer.data.items() if blank(v) and k not in EMPTY]
                codes = CODES.get(line.split()[0], (3,))
                wrong += [(line, answer.exit_code)] if answer.exit_code not in codes else []
    assert not wrong, "\n".join(map(str, wrong))


EMPTY = (
    "jobs",
    "under_way",
    "asked",
    "notes",
    "findings",
    "fix",
    "skew",
    "missing",
    "model",
    "detail",
    "nodes",
    "workers",
)
"""What is empty because nobody answered, beside the key that says so."""
CODES = {"wait-for": (1, 3), "runs": (0,), "bench": (1, 3)}


@pytest.mark.parametrize(
    ("fault", "false"), [("docker-silent", OF_DOCKER), ("gpu-silent", OF_GPUS)], ids=["docker", "gpu"]
)
async def test_of_what_a_silent_tool_knows_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, false: tuple[str, ...]
) -> None:
    wrong: list[tuple[str, object]] = []
    async with operated(tmp_path, monkeypatch) as demo:
        await served(tmp_path, demo)
        for machine in demo.pretend.machines.values():
            inject(machine, fault)
        for line in asked(demo):
            answer = await demo.answer_or_error(line)
            if line.startswith(("runs", "logs kernel")):
                continue
            wrong += [(line, text) for text in lines(answer) if any(word in text for word in false)]
            kinds = ("gpu",) if fault == "gpu-silent" else ("container", "image", "site", "ray")
            for node in demo.pretend.machines:
                wrong += [
                    (line, (key, value))
                    for key, value in about(answer.data, node)
                    if key.startswith(kinds) and blank(value)
                ]
    assert not wrong, "\n".join(map(str, wrong))


async def test_a_status_says_what_is_unknown_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with operated(tmp_path, monkeypatch) as demo:
        await served(tmp_path, demo)
        inject(demo.pretend.machines["spark-01"], "docker-silent")
        inject(demo.pretend.machines["spark-02"], "gpu-silent")
        answer = await demo.says("status")
        first, second = answer.data["nodes"]
        assert first["container"]["state"] == "unknown"
        assert (second["gpu"], second["gpu_used"]) == (None, None)
        assert "spark-01: containers unknown: docker gave no answer for 10 s" in lines(answer)
        assert "spark-02: GPU unknown: nvidia-smi did not answer within 5 s" in lines(answer)


async def test_what_was_not_asked_is_not_said_to_be_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`check` asks no dashboard, so it has nothing to say about one."""
    async with operated(tmp_path, monkeypatch) as demo:
        await served(tmp_path, demo)
        assert not [f for f in (await demo.says("check")).data["findings"] if f["check"] == "ray"]
        assert [f for f in (await demo.says("doctor")).data["findings"] if f["check"] == "ray"]


async def test_a_model_that_may_be_on_a_silent_node_is_not_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with operated(tmp_path, monkeypatch) as demo:
        inject(demo.pretend.machines["spark-02"], "cut")
        answer = await demo.answer_or_error("model fit nobody/has-this")
        assert answer.exit_code == 3
        assert "whether spark-02 has it is unknown" in str(answer.parts)
        listed = await demo.says("model list")
        assert {m["everywhere"] for m in listed.data["models"]} == {None}
