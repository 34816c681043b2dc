"""A copy of an image as a plan: its job, the other way through this console, and what to know first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sparkconsole.fleet.image.copy_survey import ImageTask
from sparkconsole.fleet.run_time_values import Fresh
from sparkconsole.fleet.transfer import plan as planning
from sparkconsole.fleet.transfer.plan import copy_moves, plan_of, receiver_notes
from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.foresight.effect import ImageNamed
from sparkconsole.model.image.build import full_name
from sparkconsole.model.image.layers_to_send import loading_needs
from sparkconsole.model.text.units import size
from sparkconsole.model.work.answer import Sheet
from sparkconsole.model.work.job import JobKind
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.remote.image.layers import Layers


def with_job(
    delivery: ImageTask, tag: str, sender: str, image: ImageIdentity | None, fresh: Fresh
) -> ImageTask:
    """The delivery with the job that carries it out, where something is to be sent."""
    more = {"bytes": delivery.bytes_total, "id": image.id if image else ""}
    return planning.with_job(delivery, JobKind.COPY, sender, fresh, {"tag": tag}, more)


def arrivals(deliveries: Sequence[ImageTask], image: ImageIdentity, fresh: Fresh) -> tuple[ImageNamed, ...]:
    """What every receiver has afterwards: the same content, with the dates that travel too."""
    return tuple(e for d in deliveries if d.to_send for e in _arrived(d, image, fresh))


def _arrived(delivery: ImageTask, image: ImageIdentity, fresh: Fresh) -> tuple[ImageNamed, ...]:
    host = delivery.node.name
    dates = delivery.transfer.names if isinstance(delivery.transfer, Layers) else ()
    there = replace(image, id=fresh.unknown(f"id of {image.tag} on {host}"))
    return tuple(ImageNamed(host, replace(there, tag=name)) for name in (image.tag, *dates))


def renewed(planned: ImageTask, now: ImageTask) -> ImageTask:
    """What is to be done after the build: by the way that was found now, under the job's planned name."""
    if planned.job is None or now.job is None:
        return now
    return replace(now, job=now.job.model_copy(update={"id": planned.job.id}))


def relay_steps(delivery: ImageTask, tag: str, sender: str) -> tuple[Step, ...]:
    """The two ends of a copy through the console, as they will run."""
    host, amount = delivery.receiver.name, size(delivery.bytes_total or 0)
    save, load = ("docker", "save", full_name(tag)), ("docker", "load")
    sends, needs = f"send {tag} to this console (about {amount})", (f"save-{host}",)
    return (
        Step(f"save-{host}", sender, sends, save),
        Step(f"load-{host}", host, f"load {tag} from this console", load, needs=needs),
    )


def copy_notes(deliveries: Sequence[ImageTask], tag: str) -> tuple[str, ...]:
    """What the person should know first: who has it, who cannot get it, what is slow, what is checked."""
    notes = list(receiver_notes(deliveries, "the same content"))
    notes += [f"{d.receiver.name} gets the whole image: {d.why}" for d in deliveries if d.why and d.to_send]
    if any(d.to_send and d.bytes_total is None for d in deliveries):
        notes.append("what a host lacks is known after the build; where it can be, only that is sent")
    if any(d.to_send for d in deliveries):
        notes.append(
            f"after each copy: platform, layers and configuration of {tag} are compared, "
            "and a container is created from it and removed"
        )
    return tuple(notes)


def fallback_notes(deliveries: Sequence[ImageTask], image: ImageIdentity) -> tuple[str, ...]:
    """Who has room for the layers and not for the whole image, which follows where they cannot be taken."""
    needed = loading_needs(image.size_bytes)
    return tuple(
        f"{d.receiver.name} has no room for the whole image ({size(d.free_bytes)} of {size(needed)}), "
        "should its layers alone not be taken"
        for d in deliveries
        if d.to_send and not d.sends_whole and d.free_bytes is not None and d.free_bytes < needed
    )


def copy_table(deliveries: Sequence[ImageTask]) -> Sheet:
    """Per node: what it is sent and how much, the room it has, and the way there."""
    return Sheet.of(("node", "is sent", "bytes", "free there", "to"), [_row(d) for d in deliveries])


def _row(delivery: ImageTask) -> tuple[str | None, ...]:
    name, where = delivery.receiver.name, delivery.receiver.address
    if delivery.problem is not None:
        return (name, "nothing: it cannot be used", None, None, None)
    if delivery.same:
        return (name, "nothing: it has it", None, None, None)
    amount = "after the build" if delivery.bytes_total is None else f"about {size(delivery.bytes_total)}"
    free = None if delivery.free_bytes is None else size(delivery.free_bytes)
    way = "fabric" if delivery.receiver.on_fabric else "slow"
    return (name, delivery.transfer.amount, amount, free, f"{where} ({way})")


def copy_plan(deliveries: Sequence[ImageTask], image: ImageIdentity, sender: str) -> Plan:
    """The copies by detached jobs on the sender."""
    notes = (*copy_notes(deliveries, image.tag), *fallback_notes(deliveries, image))
    return plan_of(deliveries, image.tag, sender, "image", notes, copy_table(deliveries))


def relay_plan(deliveries: Sequence[ImageTask], tag: str, sender: str) -> Plan:
    """The copies through this console, for nodes that may not log in at each other."""
    steps = tuple(step for d in deliveries if d.to_send for step in relay_steps(d, tag, sender))
    slow = "through this console: slower than node to node, and it ends when this console ends"
    notes = (slow, *copy_notes(deliveries, tag))
    moves = copy_moves(deliveries, "image", ", through this console")
    return Plan(f"Copy {tag} from {sender}", steps, notes=notes, table=copy_table(deliveries), moves=moves)
