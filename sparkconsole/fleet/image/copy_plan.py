"""A copy as a plan: its job, the files that the job needs, and what the person should know first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sparkconsole.fleet.fresh import Fresh
from sparkconsole.fleet.image.copy_survey import CopyTask
from sparkconsole.fleet.job_files import folder_step, text_step
from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.foresight.effect import ImageNamed
from sparkconsole.model.image.build import full_name, slug
from sparkconsole.model.image.copy import loading_needs
from sparkconsole.model.text.units import size
from sparkconsole.model.work.answer import Sheet
from sparkconsole.model.work.consequences import Moves
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.remote.image.layers import Layers
from sparkconsole.remote.image.transfer import PROGRAMS


def with_job(
    delivery: CopyTask, tag: str, sender: str, image: ImageIdentity | None, fresh: Fresh
) -> CopyTask:
    """The delivery with the job that carries it out, where something is to be sent."""
    if not delivery.to_send:
        return delivery
    receiver = delivery.receiver
    job = Job(
        id=fresh.name(f"copy-{slug(tag)}"),
        node=sender,
        kind=JobKind.COPY,
        argv=delivery.transfer.argv(tag, receiver),
        details={
            "tag": tag,
            "host": receiver.name,
            "receiver": delivery.node.model_dump(mode="json", exclude_none=True),
            "target": receiver.target,
            "port": receiver.port,
            "bytes": delivery.bytes_total,
            "id": image.id if image else "",
        },
    )
    return replace(delivery, job=job)


def arrivals(deliveries: Sequence[CopyTask], image: ImageIdentity, fresh: Fresh) -> tuple[ImageNamed, ...]:
    """What every receiver has afterwards: the same content, with the dates that travel too."""
    return tuple(e for d in deliveries if d.to_send for e in _arrived(d, image, fresh))


def _arrived(delivery: CopyTask, image: ImageIdentity, fresh: Fresh) -> tuple[ImageNamed, ...]:
    host = delivery.node.name
    dates = delivery.transfer.names if isinstance(delivery.transfer, Layers) else ()
    there = replace(image, id=fresh.unknown(f"id of {image.tag} on {host}"))
    return tuple(ImageNamed(host, replace(there, tag=name)) for name in (image.tag, *dates))


def renewed(planned: CopyTask, now: CopyTask) -> CopyTask:
    """What is to be done after the build: by the way that was found now, under the job's planned name."""
    if planned.job is None or now.job is None:
        return now
    return replace(now, job=now.job.model_copy(update={"id": planned.job.id}))


def delivery_steps(delivery: CopyTask, needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """The files that the copy needs go into its folder on the sender, then it runs there."""
    job = delivery.job
    if job is None:
        return ()
    host = delivery.receiver.name
    values = {"known_hosts": f"give the sender the verified host keys of {host}"}
    files = tuple(
        text_step(f"{name}-{host}", job, name, text, values.get(name, f"say what goes to {host}"), needs)
        for name, text in delivery.transfer.files(delivery.receiver).items()
    )
    files += _program_steps(delivery, job, needs)
    amount = (
        f"about {size(delivery.bytes_total)}"
        if delivery.bytes_total is not None
        else "size known after the build"
    )
    copy = Step(
        id=f"copy-{host}",
        node=job.node,
        sentence=f"copy {job.details['tag']} to {delivery.receiver.target} "
        f"({delivery.transfer.sentence}, {amount})",
        argv=job.argv,
        needs=tuple(s.id for s in files) or needs,
        job=job,
    )
    return (*files, copy)


def _program_steps(delivery: CopyTask, job: Job, needs: tuple[str, ...]) -> tuple[Step, ...]:
    if not delivery.transfer.folder:
        return ()
    text = "send the program that moves layers (python3, standard library only)"
    name, folder = f"programs-{delivery.receiver.name}", delivery.transfer.folder
    return (folder_step(name, job, PROGRAMS, folder, text, needs),)


def relay_steps(delivery: CopyTask, tag: str, sender: str) -> tuple[Step, ...]:
    """The two ends of a copy through the console, as they will run."""
    host, amount = delivery.receiver.name, size(delivery.bytes_total or 0)
    return (
        Step(
            f"save-{host}",
            sender,
            f"send {tag} to this console (about {amount})",
            ("docker", "save", full_name(tag)),
        ),
        Step(
            f"load-{host}", host, f"load {tag} from this console", ("docker", "load"), needs=(f"save-{host}",)
        ),
    )


def copy_notes(deliveries: Sequence[CopyTask], tag: str) -> tuple[str, ...]:
    """What the person should know first: who has it, who cannot get it, what is slow, what is checked."""
    notes = [f"{d.receiver.name} has the same content already" for d in deliveries if d.same]
    notes += [f"cannot copy to {d.receiver.name}: {d.problem.cause}" for d in deliveries if d.problem]
    notes += [f"warning: {d.warning}" for d in deliveries if d.warning and d.to_send]
    notes += [f"{d.receiver.name} gets the whole image: {d.why}" for d in deliveries if d.why and d.to_send]
    if any(d.to_send and d.bytes_total is None for d in deliveries):
        notes.append("what a host lacks is known after the build; where it can be, only that is sent")
    if any(d.to_send for d in deliveries):
        notes.append(
            f"after each copy: platform, layers and configuration of {tag} are compared, "
            "and a container is created from it and removed"
        )
    return tuple(notes)


def fallback_notes(deliveries: Sequence[CopyTask], image: ImageIdentity) -> tuple[str, ...]:
    """Who has room for the layers and not for the whole image, which follows where they cannot be taken."""
    needed = loading_needs(image.size_bytes)
    return tuple(
        f"{d.receiver.name} has no room for the whole image ({size(d.free_bytes)} of {size(needed)}), "
        "should its layers alone not be taken"
        for d in deliveries
        if d.to_send and not d.sends_whole and d.free_bytes is not None and d.free_bytes < needed
    )


def copy_table(deliveries: Sequence[CopyTask]) -> Sheet:
    """Per node: what it is sent and how much, the room it has, and the way there."""
    return Sheet.of(("node", "is sent", "bytes", "free there", "to"), [_row(d) for d in deliveries])


def _row(delivery: CopyTask) -> tuple[str | None, ...]:
    name, where = delivery.receiver.name, delivery.receiver.address
    if delivery.problem is not None:
        return (name, "nothing: it cannot be used", None, None, None)
    if delivery.same:
        return (name, "nothing: it has it", None, None, None)
    amount = "after the build" if delivery.bytes_total is None else f"about {size(delivery.bytes_total)}"
    free = None if delivery.free_bytes is None else size(delivery.free_bytes)
    way = "fabric" if delivery.receiver.on_fabric else "slow"
    return (name, delivery.transfer.amount, amount, free, f"{where} ({way})")


def copy_plan(deliveries: Sequence[CopyTask], image: ImageIdentity, sender: str) -> Plan:
    """The copies by detached jobs on the sender."""
    steps = tuple(step for d in deliveries for step in delivery_steps(d))
    notes = (*copy_notes(deliveries, image.tag), *fallback_notes(deliveries, image))
    title, moves = f"Copy {image.tag} from {sender}", copy_moves(deliveries)
    return Plan(title, steps, notes=notes, table=copy_table(deliveries), moves=moves)


def copy_moves(deliveries: Sequence[CopyTask], through: str = "") -> Moves | None:
    """How much goes to whom; None: nobody gets anything."""
    sent = [d for d in deliveries if d.to_send]
    known = [d.bytes_total for d in sent if d.bytes_total is not None]
    names = ", ".join(d.receiver.name for d in sent)
    total = sum(known) if len(known) == len(sent) else None
    return Moves(f"of the image to {names}{through}", total) if sent else None


def relay_plan(deliveries: Sequence[CopyTask], tag: str, sender: str) -> Plan:
    """The copies through this console, for nodes that may not log in at each other."""
    steps = tuple(step for d in deliveries if d.to_send for step in relay_steps(d, tag, sender))
    slow = "through this console: slower than node to node, and it ends when this console ends"
    notes = (slow, *copy_notes(deliveries, tag))
    moves = copy_moves(deliveries, ", through this console")
    return Plan(f"Copy {tag} from {sender}", steps, notes=notes, table=copy_table(deliveries), moves=moves)
