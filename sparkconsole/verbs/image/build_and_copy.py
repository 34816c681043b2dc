"""The container image: build it on one node, copy it to the others, see what is where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from cyclopts import Parameter

from sparkconsole.errors import WrongUsage
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.image import build as building
from sparkconsole.fleet.image import copy_plan as copy_steps
from sparkconsole.fleet.image import copy_run as delivering
from sparkconsole.fleet.image import copy_survey as copying
from sparkconsole.fleet.transfer import plan as planning
from sparkconsole.fleet.transfer import receivers
from sparkconsole.fleet.transfer.run import answer_of, follow_one, send_all, untouched
from sparkconsole.model.image.build import BuildSpec, host_list, key_values
from sparkconsole.model.text.units import hms
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.consequences import Moves
from sparkconsole.model.work.job import Job, JobKind, Run
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote.node.site import copy_site
from sparkconsole.verbs.grammar.bounds import checked_spec, image_name
from sparkconsole.verbs.grammar.node_words import receiver_words
from sparkconsole.verbs.grammar.record import require_done
from sparkconsole.verbs.grammar.registry import FLAG, MANY, follower, verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session


def _spec(given: Mapping[str, Any], tag: str | None) -> BuildSpec:
    own = {key: value for key, value in given.items() if key in BuildSpec.model_fields and key != "tag"}
    own |= {"tag": tag} if tag else {}
    own["build_args"] = key_values(given.get("build_arg") or ())
    return checked_spec(BuildSpec, ("image", "build"), own)


def _refuse_words(**given: Any) -> None:
    """What is no name of an image or a recipe, no KEY=VALUE, or leaves nothing to do."""
    hosts = host_list(given.get("copy_to") or ())
    if given.get("copy_to") is not None and not hosts:
        raise WrongUsage("--copy-to names no host", hint="-c spark2, -c spark2,spark3, or -c all")
    if given.get("no_build") and not hosts:
        raise WrongUsage("--no-build without --copy-to leaves nothing to do", hint="add -c HOST…, or build")
    spec = _spec(given, given.get("tag"))
    if not given.get("no_build"):
        building.recipe_folder(spec.recipe)


@verb("image build", tier=Tier.RECOVERABLE, refuses=_refuse_words)
async def build(
    session: Here,
    *,
    tag: Annotated[str | None, Parameter(name=["--tag", "-t"])] = None,
    rebuild_deps: Annotated[bool, FLAG] = False,
    rebuild_vllm: Annotated[bool, FLAG] = False,
    triton_ref: str = "v3.5.1",
    vllm_ref: str = "main",
    build_jobs: Annotated[int, Parameter(name=["--build-jobs", "-j"])] = 16,
    copy_to: Annotated[
        list[str] | None,
        Parameter(
            name=["--copy-to", "-c", "--copy-to-host", "--copy-to-hosts"], consume_multiple=True, negative=""
        ),
    ] = None,
    copy_parallel: Annotated[bool, FLAG] = False,
    no_build: Annotated[bool, FLAG] = False,
    recipe: str = "vllm-node",
    build_arg: Annotated[list[str] | None, FLAG] = None,
    network: str = "",
    no_cache: Annotated[bool, FLAG] = False,
    full_log: Annotated[bool, FLAG] = False,
    least_free: float | None = None,
    on: str | None = None,
) -> Answer | PlannedAction:
    """Build the image on one node and, with --copy-to, copy it to others.

    The build runs detached on the node and goes on when this console ends. Every build is also kept under a
    dated tag. The plan says the digest of each image that it begins with, read on the node, and whether the
    build is held to that. The SSH user of the copies is the global --user (-u).

    Parameters
    ----------
    tag
        Name of the image; by default the cluster's (vllm-node).
    rebuild_deps
        Build the dependencies again, whatever is cached.
    rebuild_vllm
        Fetch and build vLLM again, whatever is cached.
    triton_ref
        Triton commit, branch or tag.
    vllm_ref
        vLLM commit, branch or tag.
    build_jobs
        Compilers at the same time.
    copy_to
        Hosts to copy to, separated by spaces or commas; `all`: every other node.
    copy_parallel
        Copy to all hosts at the same time.
    no_build
        Only copy what is there; needs --copy-to.
    recipe
        vllm-node, vllm-node-wheels, vllm-node-cpu, or a folder with a Dockerfile.
    build_arg
        KEY=VALUE for the Dockerfile; repeatable.
    network
        Network of the build's commands, as docker build --network.
    no_cache
        Use nothing that is cached.
    full_log
        Show every line of the build; without it the steps (the journal keeps all lines).
    least_free
        Minimum free disk space on the node, in GB; by default what the recipe needs.
    on
        Node to build on; by default the head.
    """
    spec = _spec(locals(), tag or session.cluster.image)  # first of all: every option by its name
    hosts = host_list(copy_to or ())
    sender = session.member(on)
    if no_build:
        return await _copy_action(session, spec.tag, sender, hosts, parallel=copy_parallel)
    return await _build_action(
        session, spec, sender, hosts, parallel=copy_parallel, full_log=full_log, least_free=least_free
    )


async def _build_action(
    session: Session,
    spec: BuildSpec,
    node: str,
    hosts: Sequence[str],
    *,
    parallel: bool,
    full_log: bool,
    least_free: float | None,
) -> PlannedAction:
    fleet = session.fleet
    nodes = await receivers.resolve(session.cluster, fleet, hosts, node) if hosts else ()
    folder = building.recipe_folder(spec.recipe)
    seen: building.BuildSite | None = None
    running = await building.running_build(fleet, session.journal, node, spec.tag)
    if running is not None:
        job = running
        plan = Plan(f"Follow the build of {spec.tag} that runs on {node} already ({job.id})")
    else:
        seen = await building.look(fleet, node, spec, folder)
        building.require_builder(folder, seen)
        building.require_room(spec, seen, least_free)
        job = building.build_job(fleet, spec, seen, full_log=full_log)
        plan = building.build_plan(spec, seen, job, folder)
    found = await copying.survey(fleet, spec.tag, None, nodes, node)
    ways = tuple(copy_steps.with_job(d, spec.tag, node, None, fleet.fresh) for d in found)
    after = ("build",) if running is None else ()
    copies = tuple(step for d in ways for step in planning.copy_steps(d, after))
    notes = (*plan.notes, *copy_steps.copy_notes(ways, spec.tag))
    moves = [m for m in (plan.moves, planning.copy_moves(ways, "image")) if m is not None]
    moved = Moves("; then ".join(m.what for m in moves)) if len(moves) > 1 else next(iter(moves), None)
    shown = replace(plan, steps=(*plan.steps, *copies), notes=notes, moves=moved)

    async def execute(report: Report) -> Answer:
        session.record_jobs((job, *(d.job for d in ways)))
        require_done(await execute_plan(fleet, plan, report))
        built = await follow_build(session, session.own_run(), job, report)
        if built.exit_code or not ways:
            return built
        return await _copy_built(session, built, ways, report, parallel=parallel)

    site = seen.site if seen else await copy_site(await fleet.shell(node))
    images = building.built(fleet, spec, node, site, str(job.details["dated"]), folder)
    return PlannedAction(shown, execute, (*images, *copy_steps.arrivals(found, images[0].image, fleet.fresh)))


async def _copy_built(
    session: Session, built: Answer, ways: Sequence[copying.ImageTask], report: Report, *, parallel: bool
) -> Answer:
    """Looks at the receivers again, now that the image is known, and copies to those that lack it."""
    fleet, began = session.fleet, session.fleet.clock.monotonic()
    tag, node = str(built.data["tag"]), str(built.data["node"])
    image = await copying.find_image(fleet, node, tag)
    now = await copying.survey(fleet, tag, image, [d.node for d in ways if d.job], node)
    if any(d.sends_whole for d in now):
        await copying.require_room_to_save(fleet, node, image)
    fresh = {d.node.name: copy_steps.with_job(d, tag, node, image, fleet.fresh) for d in now}
    todo = tuple(copy_steps.renewed(d, fresh[d.node.name]) if d.job else d for d in ways)
    session.record_jobs(d.job for d in todo)
    results = await send_all(fleet, todo, delivering.ImagePayload, report, parallel=parallel)
    took = fleet.clock.monotonic() - began
    copied = answer_of(results, "image", took)
    build_s = float(built.data["seconds"])
    spent = {"Docker Build": build_s, "Image Copy": took, "Total Time": build_s + took}
    times = Sheet.of(("", "time"), [(what, hms(seconds)) for what, seconds in spent.items()])
    data = {**built.data, "copies": copied.data}
    return Answer(data, (*built.parts, copied.parts[0], times), exit_code=copied.exit_code)


@verb("image copy", tier=Tier.RECOVERABLE)
async def copy(
    session: Here,
    tag: str | None = None,
    *,
    to: Annotated[list[str] | None, MANY] = None,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    parallel: Annotated[bool, Parameter(negative="--serial")] = True,
    through_console: Annotated[bool, FLAG] = False,
    whole: Annotated[bool, FLAG] = False,
) -> Answer | PlannedAction:
    """Copy the image from one node to others over the fast link.

    Only the layers that a host lacks are sent, node to node; the plan says how many, how many bytes, the
    room there and the way. What an image store is not known to take goes as the whole image, and that is
    said. Hosts that have the same content are skipped; each copy is verified on the receiver; one failing or
    slow host stops no other; an interrupted copy goes on from the layers that arrived. The SSH user is the
    global --user (-u).

    Parameters
    ----------
    tag
        Name of the image; by default the cluster's (vllm-node).
    to
        Nodes or addresses, separated by spaces or commas; `all`: every other node (the default).
    from_
        Node that has the image; by default the head.
    parallel
        All hosts at the same time (the default), or one after the other.
    through_console
        Send it through this machine, when the sender may not log in at the receiver; slower.
    whole
        Send the whole image by `docker save`, whatever a host has of it.
    """
    hosts = receiver_words(to)
    return await _copy_action(
        session,
        image_name(tag or session.cluster.image),
        session.member(from_),
        hosts,
        parallel=parallel,
        through_console=through_console,
        whole=whole or through_console,
    )


async def _copy_action(
    session: Session,
    tag: str,
    sender: str,
    hosts: Sequence[str],
    *,
    parallel: bool,
    through_console: bool = False,
    whole: bool = False,
) -> Answer | PlannedAction:
    fleet = session.fleet
    nodes = await receivers.resolve(session.cluster, fleet, hosts, sender)
    held = await copying.named(fleet, tag, (sender, *(node.name for node in nodes)))
    image = copying.the_image(held, sender, tag)
    found = await copying.survey(fleet, tag, image, nodes, sender, whole=whole, held=held)
    if len(found) == 1 and found[0].problem is not None:
        raise found[0].problem
    if not any(d.to_send for d in found):
        return answer_of([untouched(d) for d in found], "image")
    if any(d.sends_whole for d in found):
        await copying.require_room_to_save(fleet, sender, image)
    effects = copy_steps.arrivals(found, image, fleet.fresh)
    if through_console:
        ways, plan = found, copy_steps.relay_plan(found, tag, sender)
    else:
        ways = tuple(copy_steps.with_job(d, tag, sender, image, fleet.fresh) for d in found)
        plan = copy_steps.copy_plan(ways, image, sender)

    async def execute(report: Report) -> Answer:
        began = fleet.clock.monotonic()
        if through_console:
            results = await delivering.relay_all(fleet, found, tag, sender, report, parallel=parallel)
        else:
            session.record_jobs(d.job for d in ways)
            results = await send_all(fleet, ways, delivering.ImagePayload, report, parallel=parallel)
        return answer_of(results, "image", fleet.clock.monotonic() - began)

    return PlannedAction(plan, execute, effects)


@follower(JobKind.BUILD)
async def follow_build(session: Session, run: Run, job: Job, report: Report) -> Answer:
    """Brings a build to its verified end."""
    return await building.follow(session.fleet, session.journal, run, job, report)


@follower(JobKind.COPY)
async def follow_copy(session: Session, run: Run, job: Job, report: Report) -> Answer:
    """Brings a copy to its verified end."""
    return answer_of((await follow_one(session.fleet, delivering.ImagePayload(job), report),), "image")
