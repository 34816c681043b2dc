"""A script planned and not run: every line on the state that the lines before it would leave."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

from sparkconsole.config.inventory import parse
from sparkconsole.fleet.journal.journal import JournalAhead
from sparkconsole.fleet.run_time_values import FreshThen
from sparkconsole.model.foresight.effect import Anything, ClusterChanged
from sparkconsole.model.foresight.forecast import Forecast
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import Run, RunState
from sparkconsole.script.lines import ScriptLine
from sparkconsole.script.report import Printer
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.open_session import inventory_path
from sparkconsole.verbs.grammar.registry import Request
from sparkconsole.verbs.grammar.session import PlannedAction, Session


@dataclass(slots=True)
class Ahead:
    """One script on one session, whose looks answer as they would then."""

    journal: JournalAhead
    forecast: Forecast = field(default_factory=Forecast)
    changed: int = 0
    """The last line so far that does something, be it a run in the journal; 0: none does."""

    @classmethod
    def of(cls, session: Session) -> Ahead:
        """From now on the session's journal is not written."""
        session.journal = journal = JournalAhead(session.journal)
        return cls(journal)

    async def line(self, session: Session, line: ScriptLine, request: Request, printer: Printer) -> int:
        """Plans one line and says so; its exit code. SparkError when it cannot be planned."""
        session.fleet.forecast, session.fleet.fresh = self.forecast, FreshThen(line.number)
        verb = request.verb
        if self.changed and not (verb.ahead or verb.local):
            return self._look(line, request, printer)
        result = await begin(session, request)
        if isinstance(result, PlannedAction):
            return await self._plan_ahead(session, line, request, result, printer)
        if isinstance(result, Answer):
            printer.ahead(line, answer=result)
            return result.exit_code
        if isinstance(result, AsyncGenerator):
            await result.aclose()
        return self._look(line, request, printer)

    def _look(self, line: ScriptLine, request: Request, printer: Printer) -> int:
        """What is there by then cannot be shown now, and what is there now would be no answer."""
        what = f"at what line {self.changed} leaves" if self.changed else "as it goes on"
        printer.ahead(line, look=f"looks {what}: {request.verb.summary}")
        return 0

    async def _plan_ahead(
        self, session: Session, line: ScriptLine, request: Request, action: PlannedAction, printer: Printer
    ) -> int:
        unknown = tuple(
            f"{e.why}; later lines are planned as if nothing were changed"
            for e in action.effects
            if isinstance(e, Anything)
        )
        printer.ahead(line, plan=replace(action.plan, notes=(*action.plan.notes, *unknown)))
        for effect in action.effects:
            if isinstance(effect, ClusterChanged):
                # The lines after it are about the cluster that the file will tell of.
                await session.regroup(parse(effect.text, inventory_path(session.options)), None)
        self.forecast = self.forecast.after(action.effects)
        self.changed = line.number
        now = session.fleet.clock.now()
        record = Run(
            id=session.fleet.fresh.unknown("run"),
            words=tuple(action.words or request.words),
            cluster=session.cluster.name,
            started=now,
            ended=now,
            state=RunState.DONE,
            exit_code=0,
            plan=action.plan.as_data(),
            jobs=tuple(step.job for step in action.plan.steps if step.job),
        )
        self.journal.expect(record)
        return 0
