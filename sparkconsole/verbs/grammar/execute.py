"""A request carried out: the one way of the command line, of a script's line and of the `:` line.

What is carried out is what the person agreed to, and of the cluster as it is: no plan of long ago.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Protocol, TypeAlias, TypeVar, cast

from sparkconsole.errors import Refused
from sparkconsole.model.work.answer import Answer, Row
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan
from sparkconsole.model.work.plan_difference import same_action
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.grammar.consequences import with_consequences
from sparkconsole.verbs.grammar.node_words import require_nodes
from sparkconsole.verbs.grammar.record import execute_action
from sparkconsole.verbs.grammar.registry import Request, Result
from sparkconsole.verbs.grammar.session import PlannedAction, Session

FRESH_S = 60.0
"""A plan that was shown longer than this is made anew before anything of it runs."""
Ask: TypeAlias = Callable[[Plan, Plan | None], Awaitable[bool]]
"""Shows a plan and asks; the second one is the plan that stood there before, when it is another one now."""
Shown_co = TypeVar("Shown_co", covariant=True)


class Presenter(Protocol[Shown_co]):
    """Shows what comes of one request, and asks before anything changes."""

    def answer(self, answer: Answer) -> Shown_co:
        """What a look found."""

    async def rows(self, rows: AsyncIterator[Row]) -> Shown_co:
        """What a stream brings."""

    async def dry_run(self, plan: Plan) -> Shown_co:
        """The plan, which is only shown."""

    async def ask(self, plan: Plan, before: Plan | None) -> bool:
        """Shows the plan and asks, as `Ask` says."""

    def declined(self, plan: Plan) -> Shown_co:
        """The person said no, and nothing was done."""

    async def run_action(self, action: PlannedAction, run: Callable[[Report], Awaitable[Answer]]) -> Shown_co:
        """Calls `run`, which does it and tells its news, and shows them."""


async def execute(
    session: Session,
    request: Request,
    presenter: Presenter[Shown_co],
    *,
    yes: str | None,
    always_ask: bool = False,
) -> Shown_co:
    """Does what the request says; what the presenter made of it. SparkError when it cannot be done.

    `yes`: what the person agreed to beforehand. `always_ask`: that, and its harmlessness, do not count.
    """
    result = await begin(session, request)
    if isinstance(result, Answer):
        return presenter.answer(result)
    if not isinstance(result, PlannedAction):
        return await presenter.rows(result)
    if session.options.dry_run:
        return await presenter.dry_run(result.plan)
    action: PlannedAction | None = result
    if always_ask or not agreed(yes, result.plan):
        action = await agreed_action(session, request, result, presenter.ask)
    if action is None:
        return presenter.declined(result.plan)
    return await presenter.run_action(action, partial(execute_action, session, request.words, action))


async def begin(session: Session, request: Request) -> Result:
    """Calls the verb. One that changes machines only plans here; read-only sessions refuse it, and loads.

    A word that names no node is refused before the verb sees it.
    """
    if session.options.read_only and (why := request.verb.why_not_read_only):
        raise Refused(f"{' '.join(request.verb.words)} {why}, and this session is read-only")
    require_nodes(request, session.cluster, pretend=session.pretend is not None)
    result = request.verb.function(session, *request.args, **request.kwargs)
    if not inspect.isawaitable(result):
        return cast("AsyncIterator[Row]", result)
    found = await result
    if not isinstance(found, PlannedAction):
        return found
    return await with_consequences(session, request.verb.words, found)


def agreed(yes: str | None, plan: Plan) -> bool:
    """The person said beforehand what this plan asks for: nothing, `--yes`, or `--yes=WORD`."""
    if plan.tier is Tier.LOOK:
        return True
    if plan.tier is Tier.RECOVERABLE:
        return yes is not None
    return bool(plan.word) and yes == plan.word


async def agreed_action(
    session: Session, request: Request, action: PlannedAction, ask: Ask
) -> PlannedAction | None:
    """The deed that the person agreed to; None: they did not. SparkError: it cannot be planned any more.

    A plan that was agreed to after more than a minute is made anew. Where it does the same, the new one is
    carried out; where it differs, it is asked for in place of the old one, which never runs.
    """
    before: Plan | None = None
    while True:
        shown = session.fleet.clock.monotonic()
        if not await ask(action.plan, before):
            return None
        if session.fleet.clock.monotonic() - shown <= FRESH_S:
            return action
        again = await begin(session, request)
        if not isinstance(again, PlannedAction):
            raise Refused(f"{action.plan.title}: nothing is left to do", hint="the cluster changed meanwhile")
        if same_action(action.plan, again.plan):
            return again
        before, action = action.plan, again
