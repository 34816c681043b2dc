"""`image prune`: old builds, what has lost its name and old build cache go; what is in use never does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any

from cyclopts import Parameter

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, Unreachable, exit_code_of_look
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.fleet import answered, failed
from sparkconsole.model.docker import DiskUsage
from sparkconsole.model.foresight.effect import BuildCacheGone, ImageGone
from sparkconsole.model.image.matrix import UNKNOWN, matrix, usage_cells
from sparkconsole.model.image.prune import Cut, Decision, NodeImages, Wish, cache_age, cuts, decide
from sparkconsole.model.text.units import size
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan, StepOutcome
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote.shell import Shell
from sparkconsole.verbs.grammar.bounds import image_name
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session

WORD = "prune"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at every node that answered, and what that leads to."""

    nodes: Mapping[str, NodeImages]
    errors: Mapping[str, SparkError]
    decision: Decision


@verb("image prune", tier=Tier.COSTLY)
async def prune(
    session: Here,
    tag: str | None = None,
    *,
    keep: int = 3,
    cache_until: str = "72h",
    dangling: Annotated[bool | None, Parameter(negative="--no-dangling")] = None,
) -> Answer | PlannedAction:
    """Remove old builds of the image, what has lost its name, and old build cache, on every node.

    What stays: the newest builds, whatever a name means, whatever a container uses, running or not, and every
    image of another name. Nothing is forced, and all of it is read back. The word is `prune`: `--yes=prune`.

    Parameters
    ----------
    tag
        Name of the image; by default the cluster's (vllm-node).
    keep
        How many of the newest dated builds stay on every node.
    cache_until
        Remove build cache that no build used for so long: 72h, 3d, 90m; `none` leaves all of it.
    dangling
        Every nameless image too, those of other builders and what arrived of interrupted copies; with
        --no-dangling none. By default those that were builds of this console.
    """
    wish = Wish(image_name(tag or session.cluster.image), keep, dangling, cache_age(cache_until))
    seen = await _look(session, wish, session.fleet.names)
    todo = cuts(seen.decision, seen.nodes)
    if not todo:
        return _nothing(session, seen)
    steps = tuple(cut.step for cut in todo)
    title = f"Prune {wish.tag} on {', '.join(dict.fromkeys(s.node for s in steps))}"
    plan = Plan(title, steps, Tier.COSTLY, WORD, _notes(seen), _matrix(session, seen))
    effects = (
        ImageGone(cut.step.node, cut.image.tag, cut.image.id) if cut.image else BuildCacheGone(cut.step.node)
        for cut in todo
    )
    return PlannedAction(plan, lambda report: _execute(session, wish, todo, report), tuple(effects))


async def _look(session: Session, wish: Wish, nodes: Sequence[str]) -> Seen:
    asked = await session.fleet.ask(_held, nodes)
    held = answered(asked)
    return Seen(held, failed(asked), decide(wish, held, session.fleet.clock.now()))


async def _held(shell: Shell) -> NodeImages:
    """An engine that cannot say what it takes up still says what it has."""
    from sparkconsole.remote.docker import engine as docker

    images, containers = await docker.every_image(shell), await docker.containers(shell)
    try:
        return NodeImages(images, containers, await docker.disk_usage(shell))
    except Unreachable:
        raise
    except SparkError as error:
        return NodeImages(images, containers, None, error.cause)


def _matrix(session: Session, seen: Seen) -> Sheet:
    return matrix(seen.decision, session.fleet.names, list(seen.errors), session.fleet.clock.now())


def _notes(seen: Seen) -> tuple[str, ...]:
    """What is not known, and what that means."""
    notes = [f"{n} is unknown, nothing is done there: {e.cause}" for n, e in seen.errors.items()]
    for node, held in seen.nodes.items() if seen.decision.wish.until else ():
        if held.usage is None:
            why = f"its build cache stays, it is not known how much there is: {held.why_no_usage}"
            notes.append(f"{node}: {why}")
    return tuple(notes)


def _nothing(session: Session, seen: Seen) -> Answer:
    code = exit_code_of_look(seen.errors.values())
    text = f"nothing of {seen.decision.wish.tag} has to go"
    parts: tuple[Sheet | str, ...] = (_matrix(session, seen), *_notes(seen), text)
    return Answer({**_data(seen), "nodes": {}}, parts, code)


def _data(seen: Seen) -> dict[str, Any]:
    wish = seen.decision.wish
    return {
        "tag": wish.tag,
        "keep": wish.keep,
        "cache_until": wish.until or None,
        "images": [entry.as_data() for entry in seen.decision.entries],
        "old_cache_bytes": dict(seen.decision.cache),
        "usage": {n: h.usage.as_data() if h.usage else None for n, h in seen.nodes.items()},
        "unknown": {node: error.as_data() for node, error in seen.errors.items()},
    }


# --- doing it


async def _execute(session: Session, wish: Wish, todo: Sequence[Cut], report: Report) -> Answer:
    """Looks once more first: what got a name or a container since the plan stays."""
    before = await _look(session, wish, session.fleet.names)
    still = {(cut.step.node, cut.step.argv) for cut in cuts(before.decision, before.nodes)}
    by_node: dict[str, list[Cut]] = {}
    for cut in todo:
        if (cut.step.node, cut.step.argv) in still:
            by_node.setdefault(cut.step.node, []).append(cut)
    ended = await together(*(_one_by_one(session, own, report) for own in by_node.values()))
    after = await _look(session, wish, list(before.nodes))
    outcomes = {o.step.id: o for outcomes in ended for o in outcomes}
    answer = _answer(before, after, [_Removal.of(cut, before, after, outcomes) for cut in todo])
    return replace(answer, parts=(_matrix(session, before), *answer.parts))


async def _one_by_one(session: Session, todo: Sequence[Cut], report: Report) -> list[StepOutcome]:
    """What one image stands in the way of, the next one does not."""
    ended: list[StepOutcome] = []
    for cut in todo:
        ended += (await execute_plan(session.fleet, Plan(cut.label, (cut.step,)), report)).outcomes
    return ended


class RemovalEnd(StrEnum):
    """What became of one removal."""

    GONE = "gone"
    STAYS = "stays"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Removal:
    """What became of one removal, and why."""

    cut: Cut
    state: RemovalEnd
    why: str = ""

    @classmethod
    def of(cls, cut: Cut, before: Seen, after: Seen, outcomes: Mapping[str, StepOutcome]) -> _Removal:
        node, outcome = cut.step.node, outcomes.get(cut.step.id)
        error = before.errors.get(node) or after.errors.get(node)
        if error is not None:
            return cls(cut, RemovalEnd.UNKNOWN, error.cause)
        refused = outcome.detail if outcome is not None and not outcome.ok else ""
        if cut.image is None:
            unseen = outcome is not None and outcome.unseen
            return cls._of_the_cache(cut, before, after, refused, unseen=unseen)
        if not cut.left(after.nodes[node]):
            return cls(cut, RemovalEnd.GONE)
        if outcome is not None:
            return cls(cut, RemovalEnd.STAYS, refused or "docker removed it, it says, and it is still there")
        return cls(cut, RemovalEnd.STAYS, after.decision.why(node, cut.image) or "it has a name by now")

    @classmethod
    def _of_the_cache(cls, cut: Cut, before: Seen, after: Seen, refused: str, *, unseen: bool) -> _Removal:
        """What is counted afterwards decides; the builder keeps of it what younger steps are built on."""
        node = cut.step.node
        was, left = before.decision.cache.get(node, 0), after.decision.cache.get(node, 0)
        if refused:
            return cls(cut, RemovalEnd.UNKNOWN if unseen else RemovalEnd.STAYS, refused)
        if after.nodes[node].usage is None:
            return cls(cut, RemovalEnd.UNKNOWN, after.nodes[node].why_no_usage)
        kept = f"docker pruned it, it says, and all {size(left)} are still there"
        return cls(cut, RemovalEnd.STAYS, kept) if left and left >= was else cls(cut, RemovalEnd.GONE)


def _answer(before: Seen, after: Seen, ends: Sequence[_Removal]) -> Answer:
    nodes = tuple(dict.fromkeys(end.cut.step.node for end in ends))
    data = {node: _node_data(node, before, after, ends) for node in nodes}
    lost = {**before.errors, **after.errors}
    rows = [_row(node, before, after, data[node]) for node in nodes]
    heads = ("node", "gone", "stays", "images", "build cache", "free", "given back")
    left = [end for end in ends if end.state is not RemovalEnd.GONE]
    lines = [f"{end.cut.step.node}: {end.cut.label} {end.state}: {end.why}" for end in left]
    lines += [f"{n}: unknown: {error.cause}" for n, error in lost.items() if n not in nodes]
    found = {**_data(before), "nodes": data, "unknown": {n: e.as_data() for n, e in lost.items()}}
    code = 1 if any(end.state is RemovalEnd.STAYS for end in ends) else 0
    unknown = Unreachable.exit_code if any(end.state is RemovalEnd.UNKNOWN for end in ends) else 0
    code = code or exit_code_of_look(lost.values()) or unknown
    return Answer(found, (Sheet.of(heads, rows), *lines), code)


def _node_data(node: str, before: Seen, after: Seen, ends: Sequence[_Removal]) -> dict[str, Any]:
    own = [end for end in ends if end.cut.step.node == node]
    was, now = _usage(before, node), _usage(after, node)
    return {
        "gone": [end.cut.label for end in own if end.state is RemovalEnd.GONE],
        "stays": {end.cut.label: end.why for end in own if end.state is RemovalEnd.STAYS},
        "unknown": {end.cut.label: end.why for end in own if end.state is RemovalEnd.UNKNOWN},
        "before": was.as_data() if was else None,
        "after": now.as_data() if now else None,
        "given_back_bytes": was.taken - now.taken if was and now else None,
    }


def _usage(seen: Seen, node: str) -> DiskUsage | None:
    return seen.nodes[node].usage if node in seen.nodes else None


def _row(node: str, before: Seen, after: Seen, data: Mapping[str, Any]) -> tuple[object, ...]:
    pairs = zip(usage_cells(_usage(before, node)), usage_cells(_usage(after, node)), strict=True)
    back = data["given_back_bytes"]
    changes = (was if was == now else f"{was} → {now}" for was, now in pairs)
    return node, len(data["gone"]), len(data["stays"]), *changes, UNKNOWN if back is None else size(back)
