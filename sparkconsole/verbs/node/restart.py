"""`node restart` starts containers anew so that a working cluster is left; `node reboot` the machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

from sparkconsole.errors import Refused, TimedOut, Unreachable, WrongUsage
from sparkconsole.fleet.fleet import answered, failed
from sparkconsole.fleet.launch.survey import LaunchSurvey, check_images, survey_launch
from sparkconsole.fleet.waiting import AGAIN_S, until, waiting
from sparkconsole.model.foresight.effect import Rebooted
from sparkconsole.model.foresight.launch_effects import start_effects
from sparkconsole.model.launch.spec import Backend, recalled
from sparkconsole.model.launch.steps import start_plan, with_dependents
from sparkconsole.model.text.units import minutes_or_seconds
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.news import Remark, Report, StepBegan, StepEnded
from sparkconsole.model.work.plan import Plan, Step, StepOutcome
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote.node import power
from sparkconsole.remote.node.site import look
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session
from sparkconsole.verbs.launch.start import start, unset_secrets

PAUSE_S = 2.0


@verb("node restart", tier=Tier.RECOVERABLE)
async def restart(
    session: Here,
    *names: str,
    container: Annotated[str | None, Parameter(name="--name")] = None,
    timeout: float = 180.0,
) -> PlannedAction:
    """Restart the containers of nodes as they were launched; the cluster works again afterwards.

    A worker rejoins by itself. With the head, a whole Ray cluster restarts. A running server ends.

    Parameters
    ----------
    names
        Nodes; without any: all of them.
    container
        Name of the containers; without it the cluster's.
    timeout
        Seconds that getting ready may take.
    """
    survey = await _survey(session, container or session.cluster.container)
    wanted = {session.member(n): "you asked for it" for n in names or session.fleet.names}
    nodes = with_dependents(survey.spec, survey.seats, wanted)
    if not nodes:
        raise WrongUsage("none of these nodes is part of the running cluster", hint="see sparkconsole status")
    check_images(survey)
    notes = (*(f"{node}: {why}" for node, why in nodes.items()), *unset_secrets(survey.spec))
    title = f"restart {survey.spec.container} on {', '.join(nodes)}"
    plan = start_plan(survey.spec, survey.seats, survey.sites, nodes, title=title, notes=notes)

    async def execute(report: Report) -> Answer:
        await start(session, survey, plan, report, timeout_s=timeout)
        state = "joined" if survey.spec.backend is Backend.RAY else "running"
        rows = [(seat.node, seat.role, state) for seat in survey.seats]
        data = {"restarted": list(nodes), "ready": True, "backend": survey.spec.backend.value}
        return Answer(data, (Sheet.of(("node", "role", "state"), rows),))

    effects = start_effects(survey.spec, survey.seats, survey.images, nodes, survey.sites)
    return PlannedAction(plan, execute, effects)


async def _survey(session: Session, container: str) -> LaunchSurvey:
    """The launch that the containers' own labels tell of."""
    answers = await session.fleet.ask(lambda shell: look(shell, container))
    specs = (recalled(site.found.labels) for site in answered(answers).values() if site.found)
    spec = next((spec for spec in specs if spec), None)
    if spec is None:
        nowhere = f"no container {container} that this program launched is on any node"
        lost = next(iter(failed(answers).values()), None)
        raise lost or Refused(nowhere, hint="start one: sparkconsole launch")
    return await survey_launch(session.fleet, session.cluster, spec)


@verb("node reboot", tier=Tier.COSTLY)
async def reboot(session: Here, name: str, *, timeout: float = 600.0) -> PlannedAction:
    """Reboot a machine and wait until it is back. Costly: --yes=reboot.

    Parameters
    ----------
    name
        The node.
    timeout
        Seconds until it has to be back.
    """
    node = session.member(name)
    shell = await session.fleet.shell(node)
    await power.may_reboot(shell)
    before = await power.life(shell)
    step = Step(f"{node}:reboot", node, "reboot the machine", power.REBOOT, timeout_s=timeout)
    notes = ("everything that runs on it ends; its containers do not start again by themselves",)
    plan = Plan(f"reboot {node}", (step,), Tier.COSTLY, word="reboot", notes=notes)

    async def execute(report: Report) -> Answer:
        began = session.fleet.clock.monotonic()
        report(StepBegan(node, step.sentence))
        await power.reboot(shell)
        session.fleet.lost(node, shell)
        await _back(session, node, before, began + timeout, report)
        elapsed = session.fleet.clock.monotonic() - began
        report(StepEnded(StepOutcome(step, True, "", elapsed, seen=True)))
        data = {"node": node, "rebooted": True, "seconds": round(elapsed, 1)}
        return Answer(data, (f"{node} is back after {elapsed:.0f} s; next: sparkconsole launch --repair",))

    return PlannedAction(plan, execute, (Rebooted(node),))


async def _back(session: Session, node: str, before: str, deadline: float, report: Report) -> None:
    """Returns when the machine answers in another life; in the old one it has not gone yet."""
    clock = session.fleet.clock
    end = until(deadline - clock.monotonic())

    def rebooting(seconds: float) -> Iterator[tuple[str, str]]:
        yield node, f"rebooting for {minutes_or_seconds(seconds)}; it is waited for until {end}"

    async with waiting(rebooting, AGAIN_S, lambda name, text: report(Remark(text, name))):
        while (left := deadline - clock.monotonic()) > 0:
            try:
                shell = await session.fleet.reconnect(node, left)
                if await power.life(shell) != before:
                    return
            except Unreachable as error:
                report(Remark(f"not back yet: {error.cause}", node))
            session.fleet.lost(node)
            await clock.sleep(PAUSE_S)
    raise TimedOut("it was told to reboot and is not back", hint="look at its console", node=node)
