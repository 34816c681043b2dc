"""`doctor` over the pretend cluster: nothing to say of a healthy one, its faults by name, and mending."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.config.globals import Options
from sparkconsole.demo import stories
from sparkconsole.demo.answers.shell import PretendShell
from sparkconsole.demo.faults import inject
from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.model.checks import CHECKS
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import JobKind
from sparkconsole.remote.shell import Completed
from sparkconsole.verbs.diagnose.doctor import doctor
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.open_session import open_session
from sparkconsole.verbs.grammar.record import execute_action
from sparkconsole.verbs.grammar.session import PlannedAction, Session


@asynccontextmanager
async def demo(nodes: int, **options: Any) -> AsyncIterator[Session]:
    """A pretend cluster whose image was built and copied."""
    async with open_session(Options(demo=nodes, **options)) as session:
        assert session.pretend is not None
        machines = list(session.pretend.machines.values())
        machines[0].built(["vllm-node"])
        made = machines[0].image("vllm-node")
        assert made is not None
        for machine in machines[1:]:
            machine.take("vllm-node", made)
        yield session


async def carried(session: Session, *words: str) -> Answer:
    result = await begin(session, understand(words))
    if isinstance(result, PlannedAction):
        result = await execute_action(session, words, result, lambda _: None)
    assert isinstance(result, Answer)
    return result


def wrong(answer: Answer) -> list[tuple[str, str, str]]:
    return [(f["check"], f["severity"], f["node"]) for f in answer.data["findings"] if f["severity"] != "ok"]


@pytest.mark.parametrize("nodes", [1, 2, 8])
async def test_a_healthy_cluster_has_nothing_red_and_nothing_yellow(nodes: int) -> None:
    async with demo(nodes) as session:
        idle = await carried(session, "doctor")
        assert (wrong(idle), idle.exit_code) == ([], 0)
        await carried(session, "launch")
        await carried(session, "serve", "openai/gpt-oss-120b")
        serving = await carried(session, "doctor")
        assert (wrong(serving), serving.exit_code) == ([], 0)
        assert serving.data["skew"][0]["what"] == "release"
        assert all(not row["differs"] for row in serving.data["skew"])
        known = {c.id for c in CHECKS}
        assert {f["check"] for f in serving.data["findings"]} <= known
        if nodes > 1:
            assert {c["id"] for c in serving.data["checks"] if not c["said"]} <= {
                "versions",
                "pace",
                "kernel log",
                "ports",
                "model",
            }


@pytest.mark.parametrize(
    ("fault", "check", "severity"),
    [
        ("lost", "reachable", "fail"),
        ("garbage", "reachable", "fail"),
        ("link-down", "fabric", "warn"),
        ("mtu", "mtu", "warn"),
        ("disk-full", "disk", "warn"),
        ("gpu-gone", "gpu", "fail"),
        ("image-differs", "image", "warn"),
    ],
)
async def test_a_fault_is_found_by_name(fault: str, check: str, severity: str) -> None:
    async with demo(3) as session:
        assert session.pretend is not None
        inject(session.pretend.machines["spark-03"], fault)
        answer = await carried(session, "doctor")
        assert (check, severity, "spark-03") in wrong(answer), wrong(answer)
        assert {node for c, _, node in wrong(answer) if c == check} <= {"spark-03", ""}, (
            "nobody else is blamed"
        )


async def test_a_cluster_that_lost_a_worker_says_which() -> None:
    async with demo(2) as session:
        assert session.pretend is not None
        await carried(session, "launch")
        inject(session.pretend.machines["spark-02"], "ray-dead")
        told = wrong(await carried(session, "doctor"))
        assert {("container", "fail", "spark-02")} <= set(told) or ("ray", "fail", "spark-02") in told, told


async def test_mending_is_a_plan_first_and_what_stays_is_said() -> None:
    async with demo(2) as session:
        assert session.pretend is not None
        inject(session.pretend.machines["spark-02"], "mtu")
        inject(session.pretend.machines["spark-01"], "disk-full")
        action = await doctor(session, fix=True)
        assert isinstance(action, PlannedAction)
        (step,) = action.plan.steps
        assert step.node == "spark-02"
        assert step.argv[:2] == ("sudo", "-n")
        assert any("never" in n or "password" in n for n in action.plan.notes)
        assert any("disk" in n or "free where docker" in n for n in action.plan.notes), (
            "what has no safe remedy"
        )
        answer = await action.execute(lambda _: None)
        assert [m["result"] for m in answer.data["mended"]] == ["mended"]
        assert ("mtu", "warn", "spark-02") not in wrong(answer)
        assert ("disk", "warn", "spark-01") in wrong(answer), "it was looked at again"


async def test_a_remedy_that_fails_takes_nothing_back_of_the_others() -> None:
    async with demo(2) as session:
        assert session.pretend is not None
        await carried(session, "launch")
        for machine in session.pretend.machines.values():
            machine.end_container("vllm_node", 3)
        inject(session.pretend.machines["spark-02"], "mtu")
        session.pretend.machines["spark-02"].remove = lambda name: None  # type: ignore[method-assign]
        answer = await carried(session, "doctor", "--fix")
        results = {(m["node"], m["check"]): m["result"] for m in answer.data["mended"]}
        assert results == {
            ("spark-02", "mtu"): "mended",
            ("spark-01", "container"): "mended",
            ("spark-02", "container"): "done, and still found",
        }


QWEN = "Qwen/Qwen3-30B-A3B-Instruct-2507"


async def test_what_another_node_has_is_copied_after_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COPY_S", "LOAD_S"):
        monkeypatch.setattr(stories, name, 2.0)
    async with demo(3) as session:
        assert session.pretend is not None
        for name in ("spark-02", "spark-03"):
            session.pretend.machines[name].images.clear()
        inject(session.pretend.machines["spark-02"], "mtu")
        action = await doctor(session, fix=True, model=QWEN)
        assert isinstance(action, PlannedAction)
        assert action.plan.steps[0].argv[:2] == ("sudo", "-n")
        notes = [note for note in action.plan.notes if note.startswith("then ")]
        assert notes == [
            "then sparkconsole image copy vllm-node --from spark-01 --to spark-02,spark-03",
            f"then sparkconsole model copy {QWEN} --from spark-01 --to spark-02,spark-03",
        ]
        kinds = [step.job.kind for step in action.plan.steps if step.job]
        assert kinds == [JobKind.COPY] * 2 + [JobKind.MODEL_COPY] * 2
        answer = await execute_action(session, ("doctor", "--fix"), action, lambda _: None)
        results = [(m["check"], m["node"], m["result"]) for m in answer.data["mended"]]
        assert results == [
            ("mtu", "spark-02", "mended"),
            ("image", "spark-02", "mended"),
            ("image", "spark-03", "mended"),
            ("model", "spark-02", "mended"),
            ("model", "spark-03", "mended"),
        ]
        assert (wrong(answer), answer.exit_code) == ([], 0)


async def test_a_copy_that_refuses_is_a_note_and_what_nobody_has_is_not_copied() -> None:
    async with demo(2) as session:
        assert session.pretend is not None
        worker = session.pretend.machines["spark-02"]
        worker.images.clear()
        inject(worker, "disk-full")
        inject(worker, "mtu")
        action = await doctor(session, fix=True)
        assert isinstance(action, PlannedAction)
        assert len(action.plan.steps) == 1
        assert any(n.startswith("not by itself: sparkconsole image copy") for n in action.plan.notes)
        session.pretend.machines["spark-01"].images.clear()
        answer = await doctor(session, "image", fix=True)
        assert isinstance(answer, Answer), "nobody has it: it has to be built"


async def test_a_copy_that_fails_says_so_and_the_rest_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    async with demo(2) as session:
        assert session.pretend is not None
        worker = session.pretend.machines["spark-02"]
        worker.images.clear()
        inject(worker, "mtu")
        action = await doctor(session, fix=True)
        assert isinstance(action, PlannedAction)
        monkeypatch.setattr(type(worker), "take", lambda *_: None)
        monkeypatch.setattr(stories, "COPY_S", 2.0)
        answer = await execute_action(session, ("doctor", "--fix"), action, lambda _: None)
        results = {m["check"]: (m["result"], m["detail"]) for m in answer.data["mended"]}
        assert results["mtu"] == ("mended", "")
        assert results["image"][0] == "failed"
        assert results["image"][1]
        assert answer.exit_code == 1


async def test_nothing_to_mend_is_said() -> None:
    async with demo(1) as session:
        answer = await doctor(session, fix=True)
        assert isinstance(answer, Answer)
        assert "nothing that was found" in str(answer.parts[-1])


async def test_some_checks_alone_and_names_that_are_none() -> None:
    async with demo(2) as session:
        answer = await doctor(session, "mtu-path", "clock")
        assert isinstance(answer, Answer)
        assert {f["check"] for f in answer.data["findings"]} == {"mtu path", "clock"}
        with pytest.raises(WrongUsage, match="no check 'cloc'") as caught:
            await doctor(session, "cloc")
        assert "clock" in caught.value.hint


@pytest.mark.parametrize(
    "faults", [(), ("mtu", "disk-full", "image-differs"), ("ray-dead", "gpu-gone", "link-down")]
)
async def test_a_check_alone_says_what_it_says_among_all(faults: tuple[str, ...]) -> None:
    """It asks for less, and for all that it needs."""
    async with demo(2) as session:
        assert session.pretend is not None
        await carried(session, "launch")
        await carried(session, "serve", "openai/gpt-oss-120b")
        for fault in faults:
            inject(session.pretend.machines["spark-02"], fault)
        every = (await carried(session, "doctor")).data["findings"]
        for check in CHECKS:
            alone = (await carried(session, "doctor", check.id.replace(" ", "-"))).data["findings"]
            assert alone == [f for f in every if f["check"] == check.id], check.id


async def test_a_check_asks_for_what_it_needs_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    plain = PretendShell.run

    async def listened(self: PretendShell, argv: Sequence[str], **more: Any) -> Completed:
        asked.append(" ".join((*argv[:2], *argv[3:])))
        return await plain(self, argv, **more)

    monkeypatch.setattr(PretendShell, "run", listened)
    async with demo(2) as session:
        asked.clear()
        await doctor(session, "clock")
        once = ["sh -c hf-cache "] * 2
        cache = "/home/spark/.cache/huggingface"
        assert asked == [*once, *[f"sh -s deep ntp {cache}"] * 2], "no docker, no GPU, no pings"
        asked.clear()
        await doctor(session, "mtu-path")
        assert sorted({words.split()[-1] if "gate-look" not in words else "pings" for words in asked}) == [
            "fabric",
            "pings",
        ]
        asked.clear()
        await doctor(session, "clock", skew=True)
        assert any("docker" in words for words in asked), "all of it is compared"


async def test_a_read_only_session_looks_and_does_not_mend() -> None:
    async with demo(1, read_only=True) as session:
        assert isinstance(await doctor(session), Answer)
        with pytest.raises(Refused, match="read-only"):
            await doctor(session, fix=True)


async def test_what_is_in_an_image_is_asked_once() -> None:
    async with demo(2) as session:
        first = await carried(session, "doctor", "image-fits")
        assert "vllm 0.15.1" in str(first.data["findings"])
        kept = session.journal.folder.parent / "image-contents.json"
        text = kept.read_text().replace("0.15.1", "0.99.9")
        kept.write_text(text)
        again = await carried(session, "doctor", "image-fits")
        assert "vllm 0.99.9" in str(again.data["findings"])
        kept.write_text("torn {")
        assert "vllm 0.15.1" in str((await carried(session, "doctor", "image-fits")).data["findings"])


async def test_own_rules_are_read() -> None:
    folder = Path.home() / ".config" / "sparkconsole"
    folder.mkdir(parents=True)
    (folder / "rules.toml").write_text(
        '[[rules]]\nid = "ours"\nwhen = { docker = "==29.*" }\nseverity = "fail"\nwhat = "it hangs here"\n'
    )
    async with demo(1) as session:
        answer = await carried(session, "doctor", "known-bad")
        assert answer.exit_code == 1
        assert "it hangs here (ours: docker 29.2.1)" in str(answer.data["findings"])


async def test_what_was_kept_of_images_may_be_torn_or_nested_without_end() -> None:
    async with demo(1) as session:
        kept = session.journal.folder.parent / "image-contents.json"
        for text in ("{", "[1]", '{"a": 7}', "[" * 100_000):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(text)
            assert (await carried(session, "doctor")).exit_code == 0
