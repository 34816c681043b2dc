"""`image rollback`: the image's name means an earlier build again, on every node; nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.fleet import answered, failed
from sparkconsole.model.docker import ImageIdentity, same_content
from sparkconsole.model.foresight.effect import ImageNamed
from sparkconsole.model.image.build import full_name
from sparkconsole.model.image.history import build_before, build_date, builds, under
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan, Step, Verification
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.grammar.bounds import image_name
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session

Images = tuple[ImageIdentity, ...]
Held = Mapping[str, Images]
"""The images of each node."""


@verb("image rollback", tier=Tier.RECOVERABLE)
async def rollback(session: Here, tag: str | None = None, *, to: str | None = None) -> Answer | PlannedAction:
    """Let the image's name mean an earlier build again, on every node.

    Every build keeps its date: vllm-node:20261124-0915. A node that has the build without a name, because a
    copy of a newer one took it, is given its date too. Nothing is built, sent or removed; containers that run
    keep theirs until the next launch.

    Parameters
    ----------
    tag
        Name of the image; by default the cluster's (vllm-node).
    to
        The build's date, as `image list` shows it; by default the one before what the name means now.
    """
    name = image_name(tag or session.cluster.image)
    held = await _held(session)
    every = tuple(image for images in held.values() for image in images)  # the head's are the first
    wanted = _wanted(name, to, every)
    steps: list[Step] = []
    effects: list[ImageNamed] = []
    for node, images in held.items():
        if not _means(name, images, wanted):
            own, left = _moved(node, name, wanted, images, every)
            steps += own
            effects += left
    if not steps:
        data = {"tag": name, "build": build_date(name, wanted.tag), "other": []}
        return Answer(data, (f"{name} is {wanted.tag} on every node already",))
    plan = Plan(f"Let {name} mean {wanted.tag} again", tuple(steps), Tier.RECOVERABLE)
    return PlannedAction(plan, lambda report: _execute(session, plan, name, wanted, report), tuple(effects))


async def _held(session: Session) -> Held:
    """What every node has; a node that cannot be asked would keep another build: nothing is begun then."""
    from sparkconsole.remote.docker import engine as docker

    asked = await session.fleet.ask(docker.every_image)
    for error in failed(asked).values():
        raise error
    return answered(asked)


def _wanted(name: str, to: str | None, every: Images) -> ImageIdentity:
    """The build to go back to, as the head has it, else the first node that does."""
    dated = builds(name, every)
    known = ", ".join(dict.fromkeys(build_date(name, i.tag) for i in dated)) or "none"
    if to is not None:
        found = next((i for i in dated if to in (i.tag, build_date(name, i.tag))), None)
        if found is None:
            raise WrongUsage(f"no node has a build {to} of {name}", hint=f"there are: {known}")
        return found
    before = build_before(name, every)
    if before is None:
        hint = f"builds that are kept: {known}; choose one with --to"
        raise Refused(f"no build of {name} is older than what it means now", hint=hint)
    return before


def _there(node: str, wanted: ImageIdentity, images: Images) -> ImageIdentity:
    """The same content on this node, under whatever name."""
    found = min((i for i in images if same_content(i, wanted)), key=lambda i: not i.tag, default=None)
    if found is None:
        hint = f"send it first: sparkconsole image copy {wanted.tag} --to {node}"
        raise Refused(f"it does not have {wanted.tag}", hint=hint, node=node)
    return found


def _means(name: str, images: Images, wanted: ImageIdentity) -> bool:
    now = under(name, images)
    return now is not None and same_content(now, wanted)


def _moved(
    node: str, name: str, wanted: ImageIdentity, images: Images, every: Images
) -> tuple[list[Step], list[ImageNamed]]:
    """What the name meant and what it comes to mean keep their dates, then the name moves: steps, effects."""
    there, now = _there(node, wanted, images), under(name, images)
    steps: list[Step] = []
    effects: list[ImageNamed] = []
    for image in (there, now):
        if image is not None and (dated := _date_lacking(name, image, images, every)):
            argv, verify = ("docker", "tag", image.id, dated), _means_now(dated, image.id)
            keeps = f"{image.short} keeps its date"
            steps.append(Step(f"keep-{node}-{dated}", node, keeps, argv, verify=verify))
            effects.append(ImageNamed(node, replace(image, tag=dated)))
    steps.append(_step(node, name, there, now, tuple(step.id for step in steps)))
    return steps, [*effects, ImageNamed(node, replace(there, tag=full_name(name)))]


def _date_lacking(name: str, image: ImageIdentity, images: Images, every: Images) -> str:
    """The dated name that the same content has elsewhere and not on this node; empty: nothing is missing."""
    dated = next((i.tag for i in builds(name, every) if same_content(i, image)), "")
    own = any(same_content(i, image) for i in builds(name, images))
    return "" if own or any(i.tag == dated for i in images) else dated


def _step(
    node: str, name: str, there: ImageIdentity, now: ImageIdentity | None, needs: tuple[str, ...]
) -> Step:
    """The name moves; it moves back when another node's does not move."""
    full = full_name(name)
    before = f"{now.short} → " if now else ""
    return Step(
        id=f"rollback-{node}",
        node=node,
        sentence=f"{name}: {before}{there.short} ({there.tag or 'which has no name here'})",
        argv=("docker", "tag", there.tag or there.id, full),
        needs=needs,
        undo=("docker", "tag", now.id, full) if now else (),
        verify=_means_now(full, there.id),
    )


def _means_now(name: str, image_id: str) -> Verification:
    """Ids are compared on one node, where they mean one thing."""
    argv = ("docker", "image", "inspect", "-f", "{{.Id}}", name)
    return Verification(f"{name} is that image", argv, image_id)


async def _execute(session: Session, plan: Plan, name: str, wanted: ImageIdentity, report: Report) -> Answer:
    outcome = await execute_plan(session.fleet, plan, report)
    held = await _held(session)
    rest = tuple(node for node, images in held.items() if not _means(name, images, wanted))
    data = {"tag": name, "build": build_date(name, wanted.tag), "other": list(rest)}
    text = f"{name} is {wanted.tag} on {len(held) - len(rest)} of {len(held)} nodes"
    wrong = (f"{end.step.node}: {end.detail}" for end in outcome.failures())
    return Answer(data, (text, *wrong), int(bool(rest)))
