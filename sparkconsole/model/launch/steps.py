"""The steps and plans of launch, repair, restart and stop: what runs on which node, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from sparkconsole.model.launch.docker_run import bind_sources, container_argv
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import Backend, LaunchSpec, Role, Seat
from sparkconsole.model.ray import RayMember, living
from sparkconsole.model.work.plan import Plan, Step, Verification
from sparkconsole.model.work.tier import Tier

Seats = tuple[Seat, ...]
Sites = Mapping[str, Site]
Notes = tuple[str, ...]
Members = Iterable[RayMember] | None
"""None: Ray did not answer."""
LOG_TAIL = 400
"""Lines of a container's log that are kept before it is removed."""
_LOG = 'docker logs --timestamps --tail "$2" -- "$1" 2>&1'
_MAKE_FOLDERS = 'for d do [ -e "$d" ] || mkdir -p -- "$d" || exit 1; done'
_MADE = 'for d do [ -e "$d" ] || { echo "there is no $d" >&2; exit 1; }; done'
_RUNNING = ("docker", "inspect", "-f", "{{.State.Running}}")
# An engine that does not answer has no container either: only its own word that there is none counts.
_GONE = (
    'said=$(docker container inspect -f "{{.Id}}" -- "$1" 2>&1) && { echo "still there" >&2; exit 1; }; '
    'case $said in *"No such container"*|*"No such object"*) ;; *) echo "$said" >&2; exit 2;; esac'
)
# A container that is gone already is what was wanted.
_REMOVE = (
    '[ "$2" = 0 ] || docker stop -t "$2" -- "$1" >/dev/null 2>&1; '
    f'docker rm -f -- "$1" >/dev/null 2>&1; {_GONE}'
)
GRACE_S = 10
"""What a running container is given to end by itself, as `docker stop` does."""


def start_steps(spec: LaunchSpec, seat: Seat, needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """The steps that bring one node's container up."""
    sources = bind_sources(spec, seat)
    folders = Step(
        id=f"{seat.node}:folders",
        node=seat.node,
        sentence="make the folders the container mounts, as the user",
        argv=("sh", "-c", _MAKE_FOLDERS, "folders", *sources),
        needs=needs,
        verify=Verification("they are there", ("sh", "-c", _MADE, "made", *sources)),
    )
    start = Step(
        id=f"{seat.node}:start",
        node=seat.node,
        sentence=f"start the {seat.role} container {spec.container} from {spec.image}",
        argv=container_argv(spec, seat),
        needs=(folders.id,),
        undo=removal_argv(spec.container),
        verify=Verification(f"{spec.container} runs", (*_RUNNING, spec.container), expect="true"),
        timeout_s=120.0,
        secrets=spec.secrets(),
    )
    return folders, start


def removal_argv(container: str, grace_s: int = 0) -> tuple[str, ...]:
    """Removes a container whatever its state; succeeds only when it is gone."""
    return ("sh", "-c", _REMOVE, "remove", container, str(grace_s))


def gone(container: str) -> Verification:
    """The engine itself says that it has no such container; one that says nothing proves nothing."""
    return Verification(f"{container} is gone", ("sh", "-c", _GONE, "gone", container))


def removal_steps(
    node: str, container: str, *, needs: tuple[str, ...] = (), mark: str = "old", grace_s: int = 0
) -> tuple[Step, Step]:
    """Keep the log of a container, then remove it."""
    log = Step(
        id=f"{node}:{mark}-log",
        node=node,
        sentence=f"keep the log of {container}",
        argv=("sh", "-c", _LOG, "log", container, str(LOG_TAIL)),
        needs=needs,
        timeout_s=30.0,
        reads=True,
    )
    remove = Step(
        id=f"{node}:{mark}-remove",
        node=node,
        sentence=f"remove {container}",
        argv=removal_argv(container, grace_s),
        needs=(log.id,),
        verify=gone(container),
        timeout_s=60.0 + grace_s,
    )
    return log, remove


class Condition(StrEnum):
    """What stands of a cluster before anything is done."""

    NOTHING = "nothing runs"
    COMPLETE = "complete"
    HALF = "half-running"


def condition(spec: LaunchSpec, seats: Seats, sites: Sites, members: Members) -> Condition:
    """Nothing, all of it, or something that is neither."""
    if not any(sites[s.node].running for s in seats):
        return Condition.NOTHING
    return Condition.HALF if broken(spec, seats, sites, members) else Condition.COMPLETE


def broken(spec: LaunchSpec, seats: Seats, sites: Sites, members: Members) -> dict[str, str]:
    """Nodes that must start again for the cluster to work, with the reason; a head takes all along."""
    alive = living(members) if members is not None else {}
    reasons = {s.node: _trouble(spec, s, sites[s.node], alive) for s in seats}
    return with_dependents(spec, seats, {node: reason for node, reason in reasons.items() if reason})


def with_dependents(spec: LaunchSpec, seats: Seats, nodes: Mapping[str, str]) -> dict[str, str]:
    """`nodes` and those that have to start again with them: without its head no Ray worker goes on."""
    head = seats[0].node
    along = f"its head {head} starts again" if spec.backend is Backend.RAY and head in nodes else ""
    return {s.node: why for s in seats if (why := nodes.get(s.node, along))}


def start_plan(
    spec: LaunchSpec, seats: Seats, sites: Sites, nodes: Iterable[str], *, title: str, notes: Notes = ()
) -> Plan:
    """Starts `nodes` side by side, after every old container of theirs was removed (its log kept first)."""
    chosen = [s for s in seats if s.node in set(nodes)]
    old = [s.node for s in chosen if sites[s.node].found is not None]
    removals = [removal_steps(n, spec.container, grace_s=GRACE_S if sites[n].running else 0) for n in old]
    gone = tuple(remove.id for _, remove in removals)
    starts = [step for seat in chosen for step in start_steps(spec, seat, gone)]
    return Plan(title, (*(s for pair in removals for s in pair), *starts), Tier.RECOVERABLE, notes=notes)


def stop_plan(container: str, nodes: Iterable[str], *, notes: Notes = ()) -> Plan:
    """Removes the container of each node, independently of each other."""
    steps = (s for n in nodes for s in removal_steps(n, container, mark="stop", grace_s=GRACE_S))
    return Plan(f"stop {container}", tuple(steps), Tier.RECOVERABLE, notes=notes)


def _trouble(spec: LaunchSpec, seat: Seat, site: Site, alive: Mapping[str, RayMember]) -> str:
    if site.found is None:
        return "no container"
    if not site.found.running:
        return f"its container ended with status {site.found.exit_code}"
    if spec.backend is not Backend.RAY or seat.address in alive:
        return ""
    what = "Ray does not answer" if seat.role is Role.HEAD and not alive else "Ray does not have it"
    return f"its container runs, but {what}"
