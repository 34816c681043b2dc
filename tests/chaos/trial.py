"""One trial: a verb is started, a fault comes at its moment, and all that can be held against it is read."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable
from functools import partial

from tests.chaos import truth
from tests.chaos.catalogue import VERBS
from tests.chaos.console import Console
from tests.chaos.draw import Draw
from tests.chaos.faults import FAULTS, Blow, Fault
from tests.chaos.record import Ending, Hits, Leftover, Record
from tests.chaos.scene import NODES, Scene
from tests.chaos.screen import Face, Screen
from tests.chaos.serving import cluster
from tests.chaos.verb import Verb
from tests.testbed.testbed import until

BEGINS_S, SETTLES_S, ATTACH_S, QUICKER_S = 60.0, 15.0, 150.0, 4.0
NOTICED_S, BACK_S = 20.0, 40.0
"""Within which a screen says that a node is lost, and that it is back."""


def tried(scene: Scene, draw: Draw) -> Record:
    """The record of one trial. Its fault is over afterwards; what cannot be prepared is raised."""
    verb, fault = VERBS[draw.verb], FAULTS[draw.fault]
    _prepare(scene, verb)
    try:
        record = _tried(scene, draw, verb, fault)
        scene.sound = fault.hits is not Hits.JOURNAL
        return record
    finally:
        scene.over()


def _prepare(scene: Scene, verb: Verb) -> None:
    """With what the last trial left, where the verb needs it and it is whole; else from bare nodes."""
    sound, scene.sound = scene.sound, False
    if sound and verb.needs:
        scene.over()
        scene.heal()
        if truth.readable(partial(cluster, scene)):
            scene.freshen()
            with contextlib.suppress(RuntimeError, subprocess.SubprocessError):
                verb.prepare(scene)
                return
    scene.tidy()
    verb.prepare(scene)


def _tried(scene: Scene, draw: Draw, verb: Verb, fault: Fault) -> Record:
    before = {index: truth.look(scene.bed, index) for index in NODES}
    known = scene.person.recorded()
    console, moment, missed = _struck(scene, verb, fault, draw.moment * verb.spread_s)
    ending = _lasted(scene, verb, console) if verb.lasts else console.ending(verb.limit_s)
    shown_up, are_up = _counted(scene, console, NOTICED_S)
    other = next((one.ending(verb.limit_s) for one in scene.started if one is not console), None)
    running, reached = _running(scene, verb), _reached(scene, verb)
    troubled = _troubled(scene) if verb.looks else ()
    run = scene.person.run_beside(known)
    scene.heal()
    shown_up_after, _ = _counted(scene, console, BACK_S)
    open_run = run
    if isinstance(console, Screen):
        console.leave()  # what it was still at is a run without a console from now on
        open_run = scene.person.run_beside(known)
    attached = None if fault.hits is Hits.JOURNAL else _attach(scene, open_run)
    left, temporary = _left(scene, before), tuple(sorted(p.name for p in scene.person.temporary.iterdir()))
    return Record(
        draw.seed, draw.number, verb.name, fault.name, verb.words(scene), fault.hits, scene.name(verb.node),
        verb.looks, round(moment, 2), missed, ending, other, attached, reached, _reached(scene, verb),
        running, troubled, str(run.get("state", "")), left, verb.leaves, verb.lasts, verb.on_screen, shown_up,
        are_up, shown_up_after, temporary,
    )  # fmt: skip


def _lasted(scene: Scene, verb: Verb, console: Face) -> Ending:
    """It has time to keep its promise, and is then told to end."""
    _wait(lambda: console.ended or _reached(scene, verb) is True, verb.limit_s)
    console.signal(signal.SIGINT)
    return console.ending(SETTLES_S)


def _counted(scene: Scene, console: Face, seconds: float) -> tuple[int | None, int]:
    """How many nodes the screen says are up, and how many are: it has that time to agree."""
    if not isinstance(console, Screen) or console.gone:
        return None, 0
    counts: tuple[int | None, int] = (None, 0)

    def agree() -> bool:
        nonlocal counts
        counts = (console.counted_up(), sum(truth.logs_in(scene.bed, index) for index in NODES))
        return counts[0] == counts[1]

    _wait(agree, seconds)
    return counts


def _struck(scene: Scene, verb: Verb, fault: Fault, delay_s: float) -> tuple[Face, float, bool]:
    """The console, the second of it in which the fault came, and whether it was over by then."""
    fault.before(Blow(scene, verb, None))
    if verb.under_way is None:
        fault.strike(Blow(scene, verb, None))
        return verb.start(scene), 0.0, False
    console = verb.start(scene)
    _wait(partial(_middle, scene, verb, console), BEGINS_S)
    at = console.age_s + delay_s
    _wait(lambda: console.ended or console.age_s >= at, delay_s + 1)
    moment, missed = console.age_s, console.ended
    if not missed:  # what it does afterwards would be held against what was said before
        fault.strike(Blow(scene, verb, console))
    if verb.slowed and not missed:  # it has to be in the middle for the fault, and not for hours after it
        scene.later(QUICKER_S, partial(scene.bed.rate, 2, None))
    return console, moment, missed


def _middle(scene: Scene, verb: Verb, console: Face) -> bool:
    return console.ended or verb.under_way is None or verb.under_way(scene, console)


def _reached(scene: Scene, verb: Verb) -> bool | None:
    """Whether what the verb promises is so; a look promises nothing of the kind."""
    return None if verb.looks else truth.readable(partial(verb.reached, scene))


def _running(scene: Scene, verb: Verb) -> tuple[str, ...]:
    """What of the verb still runs; it has a moment to end with its console."""

    def found() -> tuple[str, ...]:
        if "process" in verb.leaves:
            return ()
        nodes = (index for index in NODES if scene.bed.pid(index))
        return tuple(f"{scene.name(i)}: {line}" for i in nodes for line in truth.running(scene.bed, i))

    _wait(lambda: not found(), 5)
    return found()


def _troubled(scene: Scene) -> tuple[str, ...]:
    return tuple(scene.name(i) for i in NODES if not scene.bed.pid(i) or truth.in_trouble(scene.bed, i))


def _attach(scene: Scene, run: dict[str, object]) -> Ending | None:
    """What a person does with a run that the journal calls open."""
    if run.get("state") != "unknown":
        return None
    attaching = Console(
        scene.bed.operator_argv("sparkconsole", "runs", "attach", str(run["id"])), scene.person.environment
    )
    return attaching.ending(ATTACH_S)


def _left(scene: Scene, before: dict[int, truth.NodeTruth]) -> tuple[Leftover, ...]:
    """What is on the nodes for good: what goes by itself within seconds is not left."""

    def found() -> tuple[Leftover, ...]:
        now = {index: truth.look(scene.bed, index) for index in NODES}
        return tuple(one for i in NODES for one in truth.left(scene.name(i), before[i], now[i]))

    _wait(lambda: not found(), SETTLES_S)
    return found()


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    """For what may or may not come true in time."""
    with contextlib.suppress(TimeoutError):
        until(condition, "a moment", seconds)
