"""✔ stands only behind what was read back: commands that return 0 and change nothing are never called done.

Every changing verb of the registry meets pretend machines on which its commands succeed without an effect.
What this does not show: that a read-back of a real machine is right; the tests of tests/real do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.config import edit
from sparkconsole.config.globals import Options
from sparkconsole.demo.answers.shell import PretendShell
from sparkconsole.demo.faults import inject
from sparkconsole.errors import SparkError
from sparkconsole.fleet.execute_plan import verify
from sparkconsole.model.work.news import News, StepEnded
from sparkconsole.model.work.plan import Step
from sparkconsole.remote.shell import Completed
from sparkconsole.script.report import Printer
from sparkconsole.verbs.grammar import open_session as opening
from sparkconsole.verbs.grammar import registry
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.record import execute_action
from sparkconsole.verbs.grammar.session import PlannedAction
from tests.verbs.operated import MODEL, Operated, operated

UP = ("image build", "image copy --to all", "launch")
WAIT = "an hour"
HELD = "meta-llama/Llama-3.1-8B-Instruct"


async def prepared(demo: Operated, lines: Sequence[str]) -> None:
    for line in lines:
        if line == WAIT:
            await demo.clock.advance(3600)
        else:
            await demo.says(line)


def broken_mtu(demo: Operated) -> None:
    inject(demo.pretend.machines["spark-02"], "mtu")


LINES: Mapping[str, tuple[Sequence[str], str]] = {
    "image build": ((), "image build"),
    "image copy": (UP[:1], "image copy --to all"),
    "image prune": (UP[:1], "image prune"),
    "image rollback": (("image build", "image copy --to all", WAIT, *UP[:2]), "image rollback"),
    "launch": (UP[:2], "launch"),
    "stop": (UP, "stop"),
    "serve": (UP, f"serve {MODEL}"),
    "serve stop": ((*UP, f"serve {MODEL}"), "serve stop"),
    "node restart": (UP, "node restart spark-02"),
    "node reboot": ((), "node reboot spark-02 --timeout 60"),
    "node drop-caches": ((), "node drop-caches"),
    "model copy": ((), f"model copy {HELD}"),
    "model download": ((), f"model download {MODEL}"),
    "runs stop": ((*UP, f"serve {MODEL}"), "runs stop SERVE"),
    "runs again": (UP[:1], "runs again IMAGE"),
}
"""What comes before each changing verb, and how it is said."""
APART = {
    "node exec": "that the command ran is all that is said of it",
    "serve keep": "it starts with `serve`, and goes on until somebody stops it",
    "node add": "a file of this machine: the test below",
    "node remove": "a file of this machine: the test below",
    "node trust": "a file of this machine: the test below",
}
ALSO = ("job-start", "job-cancel", "reboot", "serve-stop", "drop-caches")
"""Scripts that change a machine beside the steps' own commands."""


def test_every_verb_that_changes_something_is_tried() -> None:
    changing = {" ".join(w) for w, v in registry.load().items() if v.changes}
    assert changing == set(LINES) | set(APART)


def without_effect(
    monkeypatch: pytest.MonkeyPatch, steps: Sequence[Step], also: Sequence[str] = ALSO
) -> None:
    """From now on these commands succeed and do nothing."""
    really, empty = PretendShell.run, {step.argv for step in steps}

    async def run(self: PretendShell, argv: Sequence[str], **how: Any) -> Completed:
        words = tuple(argv)
        if words in empty or any(name in words for name in also):
            self.require_life()
            return Completed(self.node, words, 0)
        return await really(self, argv, **how)

    monkeypatch.setattr(PretendShell, "run", run)


async def tried(
    demo: Operated, monkeypatch: pytest.MonkeyPatch, line: str, chosen: Callable[[Step], bool]
) -> tuple[int, list[News], dict[str, Any]]:
    """Exit code, news and JSON of a line whose `chosen` steps have no effect; `so`: what was so before."""
    ids = {run.words[0].upper(): run.id for run in reversed(demo.session.journal.runs())}
    words = [ids.get(word, word) for word in line.split()]
    found = await demo.planned(" ".join(words))
    steps = [step for step in found.plan.steps if not step.reads and chosen(step)]
    assert steps or not found.plan.steps
    so = [step.id for step in found.plan.steps if step.reads or await is_so(demo, step)]
    every = len(steps) == len([s for s in found.plan.steps if not s.reads])
    without_effect(monkeypatch, steps, ALSO if every else ())
    news: list[News] = []
    try:
        answer = await demo.carries(words, found, news.append)
    except SparkError as error:
        return error.exit_code, news, {"so": so}
    return answer.exit_code, news, {**answer.data, "so": so}


async def is_so(demo: Operated, step: Step) -> bool:
    """What the step is for is so already: a server that has no rank on this node is gone from it."""
    try:
        await verify(await demo.session.fleet.shell(step.node), step)
    except SparkError:
        return False
    return step.verify is not None


@pytest.mark.parametrize("verb", LINES)
async def test_what_had_no_effect_is_never_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    before, line = LINES[verb]
    async with operated(tmp_path, monkeypatch) as demo:
        await prepared(demo, before)
        code, news, data = await tried(demo, monkeypatch, line, lambda step: True)
        states = {run.state.value for run in demo.session.journal.runs()[:1]}
    wrong = [one for one in news if isinstance(one, StepEnded) and one.outcome.step.id not in data["so"]]
    assert not [one.outcome.step.sentence for one in wrong if one.outcome.word == "done"]
    printer = Printer()
    for each in wrong:
        printer.news(each)
    assert "✔" not in capsys.readouterr().err
    if verb == "node drop-caches":  # its answer is what was read back: nothing more is free
        assert {node["said"] for node in data["nodes"].values()} == {"nothing more"}
        return
    assert code != 0, data
    assert "done" not in states
    assert data.get("state") != "done"


@pytest.mark.parametrize(
    ("kind", "before", "line"),
    [
        ("folders", UP[:2], "launch"),
        ("start", UP, "launch --repair"),
        ("old-remove", UP, "launch --repair"),
    ],
)
async def test_one_step_of_a_launch_without_effect_is_a_launch_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, before: Sequence[str], line: str
) -> None:
    async with operated(tmp_path, monkeypatch) as demo:
        await prepared(demo, before)
        for container in list(demo.pretend.machines["spark-02"].containers):
            demo.pretend.machines["spark-02"].end_container(container, 1)
        code, news, _ = await tried(demo, monkeypatch, line, lambda s: s.id == f"spark-02:{kind}")
    words = {o.step.id: o.word for o in (n.outcome for n in news if isinstance(n, StepEnded))}
    assert words[f"spark-02:{kind}"] == "failed"
    assert code != 0


async def test_a_name_that_did_not_move_is_not_rolled_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one of two nodes: the other one's name goes back."""
    async with operated(tmp_path, monkeypatch) as demo:
        await prepared(demo, LINES["image rollback"][0])
        code, news, _ = await tried(demo, monkeypatch, "image rollback", lambda s: s.node == "spark-02")
    words = {o.step.node: o.word for o in (n.outcome for n in news if isinstance(n, StepEnded))}
    assert words["spark-02"] == "failed"
    assert code != 0


async def test_a_remedy_that_mends_nothing_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with operated(tmp_path, monkeypatch) as demo:
        broken_mtu(demo)
        code, news, data = await tried(demo, monkeypatch, "doctor mtu --fix", lambda step: True)
    assert [n.outcome.word for n in news if isinstance(n, StepEnded)] == ["failed"]
    assert [one["result"] for one in data["mended"]] == ["failed"]
    assert code != 0


async def test_an_inventory_that_did_not_change_is_not_called_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cluster.toml"
    file.write_text('[clusters.lab]\n[[clusters.lab.nodes]]\nname = "a"\naddress = "192.0.2.1"\n')
    monkeypatch.setattr(edit, "write_private", lambda *_: None)
    for line in ("node add b 192.0.2.2", "node remove a"):
        news: list[News] = []
        async with opening.open_session(Options(config=file, yes=True)) as session:
            action = await begin(session, understand(line.split()))
            assert isinstance(action, PlannedAction)
            with pytest.raises(SparkError, match="not what was written"):
                await execute_action(session, line.split(), action, news.append)
        assert not news


async def test_what_was_read_back_is_done_in_the_answer_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The states of a run and of its steps are words of their own: a server runs on, a build is over."""
    async with operated(tmp_path, monkeypatch) as demo:
        built = await demo.says("image build")
        assert (built.data["state"], set(built.data["steps"].values())) == ("done", {"done"})
        await demo.says("image copy --to all")
        await demo.says("launch")
        served = await demo.says(f"serve {MODEL}")
        assert (served.data["state"], set(served.data["steps"].values())) == ("ready", {"started"})
        inject(demo.pretend.machines["spark-02"], "cut")
        stopped = await demo.says("stop")
        assert (stopped.exit_code, stopped.data["state"]) == (3, "unknown")
        listed = await demo.says("runs list")
        assert listed.data["runs"][0]["state"] == "unknown"
        assert "unknown (3)" in str(listed.parts)
