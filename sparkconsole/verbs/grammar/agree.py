"""What is carried out is what the person agreed to, and of the cluster as it is: no plan of long ago."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from sparkconsole.errors import Refused
from sparkconsole.model.work.plan import Plan
from sparkconsole.model.work.plan_difference import same_action
from sparkconsole.verbs.grammar.dispatch import begin
from sparkconsole.verbs.grammar.request import Request
from sparkconsole.verbs.grammar.session import PlannedAction, Session

FRESH_S = 60.0
"""A plan that was shown longer than this is made anew before anything of it runs."""
Ask: TypeAlias = Callable[[Plan, Plan | None], Awaitable[bool]]
"""Shows a plan and asks; the second one is the plan that stood there before, when it is another one now."""


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
