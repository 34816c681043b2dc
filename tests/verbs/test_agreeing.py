"""A plan that was shown for long is made anew before it runs: what runs was agreed to, and is of now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sparkconsole.errors import Refused, SparkError
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.consequences import Consequences
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.model.work.plan_difference import difference, same_action
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.grammar.execute import FRESH_S, agreed_action
from sparkconsole.verbs.grammar.registry import Request, Verb
from sparkconsole.verbs.grammar.session import PlannedAction, Session


def plan(*nodes: str, job: str = "0a1b2c3d", free: str = "812.3") -> Plan:
    steps = tuple(Step(f"stop-{n}", n, "stop it", ("docker", "stop", f"build-{job}")) for n in nodes)
    return Plan("stop", steps, notes=(f"{free} GiB free",))


async def nothing(report: object) -> Answer:
    raise AssertionError("no deed is carried out here")


async def no_machines(*_: object) -> dict[str, object]:
    return {}


def action(made: Plan) -> PlannedAction:
    return PlannedAction(made, nothing, ())


@dataclass
class Person:
    """Looks at each plan for so long, then agrees; the last time they say `agrees`."""

    looks_s: list[float]
    agrees: bool = True
    now: float = 1000.0
    shown: list[tuple[Plan, Plan | None]] = field(default_factory=list)

    async def ask(self, made: Plan, before: Plan | None) -> bool:
        self.shown.append((made, before))
        self.now += self.looks_s.pop(0)
        return bool(self.looks_s) or self.agrees

    def monotonic(self) -> float:
        return self.now


async def agreed(person: Person, first: Plan, *later: Plan | SparkError | Answer) -> PlannedAction | None:
    """What would run; `later` is what planning anew gives each time."""
    made = iter(later)

    async def again(session: Session) -> Any:
        now = next(made)
        if isinstance(now, SparkError):
            raise now
        return action(now) if isinstance(now, Plan) else now

    session = SimpleNamespace(
        fleet=SimpleNamespace(clock=person, ask=no_machines),
        options=SimpleNamespace(read_only=False),
        journal=SimpleNamespace(newest=lambda: iter(()), names=frozenset),
        cluster=SimpleNamespace(name="lab", container="vllm_node", nodes=()),
        pretend=None,
    )
    request = Request(("stop",), Verb(("stop",), again, True, Tier.RECOVERABLE), (), {})
    return await agreed_action(cast("Session", session), request, action(first), person.ask)


async def test_a_plan_agreed_to_within_a_minute_runs_as_it_is() -> None:
    first = plan("spark-01")
    found = await agreed(Person([FRESH_S]), first)
    assert found is not None
    assert found.plan is first


async def test_after_five_minutes_another_plan_is_asked_and_the_old_one_never_runs() -> None:
    old, new = plan("spark-01", "spark-02"), plan("spark-01")
    person = Person([300, 5])
    found = await agreed(person, old, new)
    assert [(p.steps, b and b.steps) for p, b in person.shown] == [(old.steps, None), (new.steps, old.steps)]
    assert found is not None
    assert found.plan.steps == new.steps


async def test_the_new_plan_is_not_run_when_only_the_old_one_was_agreed_to() -> None:
    assert (
        await agreed(Person([300, 5], agrees=False), plan("spark-01", "spark-02"), plan("spark-01")) is None
    )


async def test_a_plan_that_would_do_the_same_goes_on_with_names_of_its_own() -> None:
    again = plan("spark-01", job="ffff0000", free="790.1")
    person = Person([300])
    found = await agreed(person, plan("spark-01"), again)
    assert len(person.shown) == 1, "changed back, or never changed: nobody is asked twice"
    assert found is not None
    assert found.plan.steps == again.steps


async def test_a_plan_that_stands_for_long_again_is_made_anew_again() -> None:
    plans = [plan("spark-01"), plan("spark-02"), plan("spark-03"), plan("spark-03")]
    person = Person([300, 300, 300])
    found = await agreed(person, *plans)
    assert [shown.steps for shown, _ in person.shown] == [p.steps for p in plans[:3]]
    assert found is not None
    assert found.plan.steps == plans[3].steps


async def test_when_it_cannot_be_planned_any_more_that_is_said_and_nothing_runs() -> None:
    with pytest.raises(SparkError, match="is gone"):
        await agreed(Person([300]), plan("spark-01"), SparkError("spark-01 is gone", hint="look"))


async def test_when_nothing_is_left_to_do_nothing_runs() -> None:
    with pytest.raises(Refused, match="nothing is left to do"):
        await agreed(Person([300]), plan("spark-01"), Answer({}, ("it is so already",)))


def test_the_difference_names_what_came_and_what_went() -> None:
    told = difference(plan("spark-01", "spark-02"), plan("spark-01", "spark-03", job="ffff0000"))
    assert any(line.startswith("- ") and "spark-02" in line for line in told)
    assert any(line.startswith("+ ") and "spark-03" in line for line in told)
    assert not any("spark-01" in line for line in told)


def ends(told: str, seconds: float = 10) -> Consequences:
    return Consequences((told,), seconds=seconds, runs=3, starts="stop")


def copied(amount: str, free: str, notes: tuple[str, ...] = ()) -> Plan:
    columns = ("node", "is sent", "bytes", "free there", "to")
    return Plan("copy", table=Sheet.of(columns, [("b", "3 layers", amount, free, "b (fabric)")]), notes=notes)


STOP = plan("a")
SAME = {
    "free room in a note": (plan("a", free="812.3"), plan("a", free="790.1")),
    "free room in a table": (copied("about 19.2 GB", "812 GB"), copied("about 19.2 GB", "790 GB")),
    "how long it may take": (
        replace(STOP, consequences=ends("a server", 10)),
        replace(STOP, consequences=ends("a server", 14)),
    ),
    "an age": (Plan("prune", notes=("unused for 71 h",)), Plan("prune", notes=("unused for 72 h",))),
    "a job's name": (plan("a", job="0a1b2c3d"), plan("a", job="ffff0000")),
}
ANOTHER = {
    "a node": (plan("a", "b"), plan("a")),
    "a reason": (STOP, replace(STOP, notes=("a server is running",))),
    "what ends": (
        replace(STOP, consequences=ends("the server m on port 8000: no request running")),
        replace(STOP, consequences=ends("the server n on port 8000: no request running")),
    ),
    "requests in flight": (
        replace(STOP, consequences=ends("the server m on port 8000: no request running")),
        replace(STOP, consequences=ends("the server m on port 8000: 3 requests running")),
    ),
    "more requests in flight": (
        replace(STOP, consequences=ends("the server m on port 8000: 3 requests running")),
        replace(STOP, consequences=ends("the server m on port 8000: 40 requests running, 2 waiting")),
    ),
    "bytes to copy": (copied("about 19.2 GB", "1 TB"), copied("about 0.4 GB", "1 TB")),
    "bytes in a note": (copied("–", "–", ("2 GB in 12 files",)), copied("–", "–", ("2 GB in 13 files",))),
    "a commit": (Plan("build", notes=("vLLM main is commit 1234567",)),
                 Plan("build", notes=("vLLM main is commit 1234568",))),
    "a host key": (
        Plan("trust", (Step("a", "console", "trust a: SHA256:1abc", ("tee",), stdin="a ssh-ed25519 1abc"),)),
        Plan("trust", (Step("a", "console", "trust a: SHA256:2abc", ("tee",), stdin="a ssh-ed25519 2abc"),)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME)
def test_what_moves_by_itself_makes_no_other_plan(what: str) -> None:
    old, new = SAME[what]
    assert same_action(old, new)
    assert difference(old, new) == (), "nor is it shown as a difference"


@pytest.mark.parametrize("what", ANOTHER)
def test_what_a_person_agrees_to_makes_another_plan_and_is_shown(what: str) -> None:
    old, new = ANOTHER[what]
    assert not same_action(old, new)
    assert difference(old, new), "the person sees what is not as it was"
