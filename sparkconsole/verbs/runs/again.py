"""Runs of the journal done again, and two of them beside each other."""

from __future__ import annotations

from dataclasses import replace

from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.export import secrets_of
from sparkconsole.model.work.job import Run
from sparkconsole.model.work.run_difference import differences
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.registry import Result, verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session


@verb("runs again", tier=Tier.RECOVERABLE)
async def again(session: Here, run_id: str, /) -> Result:
    """Does a run again with the words it was given, as a new run with a plan of its own.

    Parameters
    ----------
    run_id:
        The run's id, its beginning, or its last four letters.
    """
    run = session.journal.find(run_id)
    require_repeatable(session, run)
    result = await begin(session, understand(run.words))
    return replace(result, words=run.words) if isinstance(result, PlannedAction) else result


def require_repeatable(session: Session, run: Run) -> None:
    """Refuses what cannot be done again as it was."""
    if not run.words or run.words[0] == "runs":
        raise WrongUsage(f"{run.id} was about another run", hint="do that one again")
    if names := secrets_of(run.words):
        hint = f"as a script it can: runs export {run.id}, then --script FILE --set {names[0]}=…"
        raise Refused(f"{run.id} was given {', '.join(names)}, and secrets are not kept", hint=hint)
    if run.cluster and session.cluster.name and run.cluster != session.cluster.name:
        hint = f"sparkconsole --cluster {run.cluster} runs again {run.id}"
        raise WrongUsage(
            f"{run.id} was done on the cluster {run.cluster}, and this is {session.cluster.name}", hint=hint
        )


@verb("runs compare")
async def compare(session: Here, first: str, second: str, /) -> Answer:
    """What differs between two runs: words, durations, results.

    Parameters
    ----------
    first:
        The run's id, its beginning, or its last four letters.
    second:
        The other run's.
    """
    one, other = session.journal.find(first), session.journal.find(second)
    if one.id == other.id:
        raise WrongUsage(f"{one.id} cannot differ from itself", hint="name two runs: runs list")
    found = differences(one, other)
    keys = ("what", "first", "second", "change")
    data = {
        "first": one.id,
        "second": other.id,
        "differences": [dict(zip(keys, d, strict=True)) for d in found],
    }
    columns = (
        "",
        f"{one.started:%m-%d %H:%M} {_kind(one)}",
        f"{other.started:%m-%d %H:%M} {_kind(other)}",
        "",
    )
    return Answer(data, (Sheet.of(columns, found),) if found else ("nothing differs but the time",))


def _kind(run: Run) -> str:
    words = [w for w in run.words[:2] if not w.startswith("-")]
    return " ".join(words[: 2 if words and words[0] in ("image", "bench", "node", "model", "serve") else 1])[
        :30
    ]
