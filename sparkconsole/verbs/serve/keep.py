"""`serve keep`: looks after the served model, and serves it again when it ended; within a budget."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from sparkconsole.errors import Refused, SparkError
from sparkconsole.fleet.serve.status import ServerCondition, ServerStatus, serve_status
from sparkconsole.fleet.serve.stop import NoServer
from sparkconsole.model.foresight.effect import Anything
from sparkconsole.model.serve.restart_budget import RestartBudget
from sparkconsole.model.serve.vllm_flags import value
from sparkconsole.model.text.units import hms
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import Run
from sparkconsole.model.work.news import Remark, Report
from sparkconsole.model.work.plan import Plan
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session
from sparkconsole.verbs.runs.without_jobs import require_repeatable
from sparkconsole.verbs.serve.start import ranks_of

OWN = ("serve", "keep")


@verb("serve keep", tier=Tier.RECOVERABLE)
async def keep(
    session: Here,
    *,
    port: int = 8888,
    name: str | None = None,
    every: float = 20.0,
    misses: int = 3,
    restarts: int = 3,
    within: float = 6.0,
    grace: float = 30.0,
) -> PlannedAction:
    """Watch the served model while this console runs, and restart it when it ended or hangs.

    It restarts with the words of its last start, each time after a longer pause. When the restarts allowed
    are used up, serve keep exits with status 1; it exits with 0 when somebody stops the server with this
    console's words. A node that cannot be reached is waited for: what it does is unknown.

    Parameters
    ----------
    port
        Port of the server.
    name
        Name of the containers; without it the cluster's.
    every
        Seconds between looks; each asks for one token.
    misses
        Looks after each other that have to find it not serving.
    restarts
        Restarts allowed within the hours of --within.
    within
        Length, in hours, of the window in which restarts are counted.
    grace
        Minutes that it may load.
    """
    run = _served(session, port)
    require_repeatable(session, run)
    patience = RestartBudget(
        misses, restarts, within * 3600, grace * 60, began_s=session.fleet.clock.monotonic()
    )
    kept = _KeptServer(session, run, port, name or session.cluster.container, every, patience)
    plan = Plan(f"keep serving on port {port}", (), Tier.RECOVERABLE, notes=kept.notes())
    why = "it looks after the server until somebody stops it: what is there then is not known before"
    return PlannedAction(plan, kept.execute, (Anything(why),))


def _served(session: Session, port: int) -> Run:
    """The newest start on that port that was asked for by a person."""
    for run in session.journal.newest():
        if run.words[:2] != OWN and ranks_of(run, port) and run.cluster == session.cluster.name:
            return run
    raise Refused(
        f"this console has not served anything on port {port}",
        hint="sparkconsole serve MODEL first: its words are what is started again",
    )


def _ends(words: tuple[str, ...], port: int) -> bool:
    """`stop`, or `serve stop` of that port."""
    text = value(words, "--port") or "8888"
    return words[:1] == ("stop",) or (words[:2] == ("serve", "stop") and text == str(port))


@dataclass(slots=True)
class _KeptServer:
    """One server that is looked after."""

    session: Session
    run: Run
    port: int
    container: str
    every_s: float
    patience: RestartBudget
    last: ServerCondition | None = None

    def notes(self) -> tuple[str, ...]:
        """What is done, and how often."""
        p = self.patience
        return (
            f"restarted with: sparkconsole {shlex.join(self.run.words)}",
            f"after {p.misses} looks, {self.every_s:g} s apart, that find it not serving; "
            f"at most {p.starts} times in {hms(p.within_s)}",
            "before each restart, leftovers of the server are ended and missing containers started",
        )

    async def execute(self, report: Report) -> Answer:
        """Until it is stopped or the budget is used up."""
        clock = self.session.fleet.clock
        while not self._stopped():
            found = await self._look(report)
            if self.patience.due:
                if self.patience.spent(clock.monotonic()):
                    text = f"all {self.patience.starts} restarts are used up: {found.detail}"
                    return self._answer(found, text, 1)
                await self._again(found, report)
            await clock.sleep(self.every_s)
        return self._answer(None, "the server was stopped: no longer kept", 0)

    async def _look(self, report: Report) -> ServerStatus:
        jobs = next((j for run in self.session.journal.newest() if (j := ranks_of(run, self.port))), ())
        try:
            found = await serve_status(self.session.fleet, self.container, self.port, jobs)
        except SparkError as error:
            # It changed while it was looked at: the next look says how it stands.
            found = ServerStatus(ServerCondition.UNKNOWN, error.cause, node=error.node, unreachable=True)
        loads = found.state is ServerCondition.LOADING
        if found.state is not self.last:
            text = ": ".join(part for part in (found.state.value, found.detail) if part)
            level = "info" if loads or found.state is ServerCondition.READY else "warning"
            report(Remark(text, found.node, level))
        self.last = found.state
        if found.state is not ServerCondition.UNKNOWN:
            serves = found.state in (ServerCondition.READY, ServerCondition.UNPROVED)
            now = self.session.fleet.clock.monotonic()
            self.patience = self.patience.seen(now, serves=serves, loads=loads)
        return found

    async def _again(self, found: ServerStatus, report: Report) -> None:
        """A start that fails has been one; the next looks say what is."""
        clock = self.session.fleet.clock
        if pause := self.patience.rest_s(clock.monotonic()):
            report(Remark(f"restarting in {pause:.0f} s"))
            await clock.sleep(pause)
        self.patience = self.patience.started(clock.monotonic())
        count = self.patience.recent(clock.monotonic())
        text = f"restart {count} of {self.patience.starts}: {shlex.join(self.run.words)}"
        report(Remark(text, level="warning"))
        try:
            for words in self._words(found.state):
                with suppress(NoServer):  # nothing is left of it, beside a server on another port
                    result = await begin(self.session, understand(words))
                    if isinstance(result, PlannedAction):
                        await result.execute(report)
        except SparkError as error:
            report(Remark(f"restart failed: {error.cause}", error.node, "error"))

    def _words(self, state: ServerCondition) -> tuple[tuple[str, ...], ...]:
        """What is left of it is ended; then containers that are gone, then the server."""
        named = ("--name", self.container)
        launch: tuple[tuple[str, ...], ...] = ()
        if state is ServerCondition.LOST:
            launch = (("launch", "--repair", *named),)
        elif state is ServerCondition.ABSENT:
            launched = (r for r in self.session.journal.newest() if r.words[:1] == ("launch",))
            launch = tuple(r.words for r in islice(launched, 1) if r.cluster == self.session.cluster.name)
        return (("serve", "stop", "--port", str(self.port), *named), *launch, self.run.words)

    def _stopped(self) -> bool:
        """Somebody ended it with the console's words since it was served."""
        for run in self.session.journal.newest():
            if run.started <= self.run.started:
                return False
            if _ends(run.words, self.port) and not run.error:
                return True
        return False

    def _answer(self, found: ServerStatus | None, text: str, code: int) -> Answer:
        state = found.state.value if found else "stopped"
        starts = len(self.patience.started_s)
        data = {"port": self.port, "state": state, "starts": starts, "run": self.run.id}
        return Answer(data, (text,), code)
