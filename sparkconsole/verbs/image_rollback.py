"""`image rollback`: the image's name means an earlier build again, on every node; nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping

from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.fleet.carry import carry_out
from sparkconsole.fleet.fleet import failed, told
from sparkconsole.model.answer import Answer
from sparkconsole.model.docker import ImageIdentity, same_content
from sparkconsole.model.image import full_name, image_tag
from sparkconsole.model.image_history import build_before, build_date, builds, under
from sparkconsole.model.plan import Plan, PlanOutcome, Step
from sparkconsole.model.progress import Report
from sparkconsole.model.tier import Tier
from sparkconsole.verbs.registry import verb
from sparkconsole.verbs.session import Deed, Here, Session

Held = Mapping[str, tuple[ImageIdentity, ...]]
"""The images of each node."""


@verb("image rollback", tier=Tier.RECOVERABLE)
async def rollback(session: Here, tag: str | None = None, *, to: str | None = None) -> Answer | Deed:
    """Let the image's name mean an earlier build again, on every node.

    Every build keeps its date: vllm-node:20261124-0915. Nothing is built, sent or removed; containers that
    run keep theirs until the next launch.

    Parameters
    ----------
    tag
        Name of the image; by default the cluster's (vllm-node).
    to
        The build's date, as `image list` shows it; by default the one before what the name means now.
    """
    name = _name(tag or session.cluster.image)
    held = await _held(session)
    wanted = _wanted(name, to, held[session.fleet.head])
    steps = tuple(
        _step(node, name, _there(node, wanted, images), under(name, images))
        for node, images in held.items()
        if not _means(name, images, wanted)
    )
    if not steps:
        data = {"tag": name, "build": build_date(name, wanted.tag), "other": []}
        return Answer(data, (f"{name} is {wanted.tag} on every node already",))
    plan = Plan(f"Let {name} mean {wanted.tag} again", steps, Tier.RECOVERABLE)
    return Deed(plan, lambda report: _carry(session, plan, name, wanted, report))


def _name(tag: str) -> str:
    try:
        return image_tag(tag)
    except ValueError as error:
        raise WrongUsage(str(error), hint="see the names: sparkconsole image list") from error


async def _held(session: Session) -> Held:
    """What every node has; a node that cannot be asked would keep another build: nothing is begun then."""
    from sparkconsole.remote.docker import images

    asked = await session.fleet.ask(images)
    for error in failed(asked).values():
        raise error
    return told(asked)


def _wanted(name: str, to: str | None, images: tuple[ImageIdentity, ...]) -> ImageIdentity:
    """The build to go back to, as the head has it."""
    dated = builds(name, images)
    known = ", ".join(build_date(name, i.tag) for i in dated) or "none"
    if to is not None:
        found = next((i for i in dated if to in (i.tag, build_date(name, i.tag))), None)
        if found is None:
            raise WrongUsage(f"the head has no build {to} of {name}", hint=f"it has: {known}")
        return found
    before = build_before(name, images)
    if before is None:
        hint = f"builds that are kept: {known}; choose one with --to"
        raise Refused(f"no build of {name} is older than what it means now", hint=hint)
    return before


def _there(node: str, wanted: ImageIdentity, images: tuple[ImageIdentity, ...]) -> ImageIdentity:
    """The same content on this node, under whatever name."""
    found = next((i for i in images if same_content(i, wanted)), None)
    if found is None:
        hint = f"send it first: sparkconsole image copy {wanted.tag} --to {node}"
        raise Refused(f"it does not have {wanted.tag}", hint=hint, node=node)
    return found


def _means(name: str, images: tuple[ImageIdentity, ...], wanted: ImageIdentity) -> bool:
    now = under(name, images)
    return now is not None and same_content(now, wanted)


def _step(node: str, name: str, there: ImageIdentity, now: ImageIdentity | None) -> Step:
    """The name moves; it moves back when another node's does not move."""
    full = full_name(name)
    before = f"{now.short} → " if now else ""
    return Step(
        id=f"rollback-{node}",
        node=node,
        sentence=f"{name}: {before}{there.short} ({there.tag})",
        argv=("docker", "tag", there.tag, full),
        undo=("docker", "tag", now.id, full) if now else (),
    )


async def _carry(session: Session, plan: Plan, name: str, wanted: ImageIdentity, report: Report) -> Answer:
    outcome = await carry_out(session.fleet, plan, report)
    held = await _held(session)
    rest = tuple(node for node, images in held.items() if not _means(name, images, wanted))
    data = {"tag": name, "build": build_date(name, wanted.tag), "other": list(rest)}
    said = f"{name} is {wanted.tag} on {len(held) - len(rest)} of {len(held)} nodes"
    return Answer(data, (said, *_wrong(outcome)), int(bool(rest)))


def _wrong(outcome: PlanOutcome) -> tuple[str, ...]:
    return tuple(f"{end.step.node}: {end.detail}" for end in outcome.failures())
