"""One node of the watch: its connection, made again for ever; its readings; its containers, images and facts.

A node that cannot be reached is lost, which is unknown; one that answers nonsense is up, without a reading.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from sparkconsole.clock import cancelled
from sparkconsole.errors import (
    ChangedHostKey,
    SparkError,
    TimedOut,
    TooMuch,
    UnknownHostKey,
    Unreachable,
    WrongUsage,
)
from sparkconsole.fleet.diagnose.probe import look_through
from sparkconsole.fleet.reconnect import pauses
from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.fleet.watch.context import Question, Wakeup, WatchContext, WatchedSource
from sparkconsole.fleet.watch.events import ChangeDetector, container_change
from sparkconsole.fleet.watch.readings import AGAIN_S, FACTS_S, reading_by_facts
from sparkconsole.model.cluster import Node
from sparkconsole.model.docker import Container
from sparkconsole.model.foresight.own_actions import Touch
from sparkconsole.model.telemetry import Reading, Sample, reading
from sparkconsole.remote.shell import Shell

Probe = Callable[[Shell], Question]
CONTAINERS_S, LOOK_S = 3.0, 60.0
NO_READING = "no reading for {:.0f} s: is it out of memory?"
NO_DOCKER = "docker has not answered for {:.0f} s: what runs there is unknown"
NO_LOOK = "the look at it has not ended for {:.0f} s: what was seen there is unknown"
STEADY_S = 30.0
"""A connection that held so long was a good one."""


class NodeWatch:
    """`run` until it is cancelled; `again` tries a lost node now, `refresh` looks at it now."""

    def __init__(self, scope: WatchContext, node: Node) -> None:
        self.node, self.name, self._scope = node, node.name, scope
        self._retry, self._look_now, self._list_now = Wakeup(), Wakeup(), Wakeup()
        self._changes = ChangeDetector()
        self._before: Sample | None = None
        self._garbled = False
        self._ran_since: float | None = None
        """When the cluster's container was seen to start here; None: it ran already, or none did."""
        self._troubles: dict[str, str] = {}
        self._outline: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._netdevs: dict[str, str] = {}
        self._samples = WatchedSource(scope, self.name, NO_READING, "readings come again", lambda _: None)
        self._docker = WatchedSource(scope, self.name, NO_DOCKER, "docker answers again", self._forget_docker)
        self._facts = WatchedSource(scope, self.name, NO_LOOK, "looks at it end again", self._forget_look)
        scope.interfaces.pop(self.name, None)

    def again(self) -> None:
        """Tries now."""
        self._retry.ring()

    def refresh(self) -> None:
        """Looks now; tries now, when it is lost."""
        for bell in (self._look_now, self._list_now):
            bell.ring()
        if self._state.reach is Reachability.LOST:
            self._retry.ring()

    @property
    def _state(self) -> NodeState:
        return self._scope.store.nodes.get(self.name) or NodeState(self.name)

    async def run(self) -> None:
        """Connects, attends, connects again."""
        waits = pauses(random.random)
        while True:
            try:
                began, shell = self._now, await self._connected()
            except WrongUsage:
                return  # the fleet has no such node any more
            except Unreachable as error:
                await self._stay_lost(error, next(waits))
                continue
            try:
                self._found()
                await self._attend(shell)
            except Unreachable as error:
                self._scope.fleet.lost(self.name, shell)
                if self._now - began > STEADY_S:
                    waits = pauses(random.random)
                await self._stay_lost(error, next(waits))

    @property
    def _now(self) -> float:
        return self._scope.clock.monotonic()

    # --- reach

    async def _connected(self) -> Shell:
        async with self._scope.connecting:
            try:
                return await self._scope.fleet.shell_again(self.name)
            except SparkError as error:
                if isinstance(error, Unreachable | WrongUsage):
                    raise
                raise Unreachable(error.cause, hint=error.hint, node=self.name) from error
            except Exception as error:
                raise Unreachable(f"{type(error).__name__}: {error}", node=self.name) from error

    async def _stay_lost(self, error: Unreachable, pause: float) -> None:
        """Says so once, and waits for the next attempt; a key that is not trusted waits for a person."""
        key = isinstance(error, UnknownHostKey | ChangedHostKey)
        fingerprint = error.fingerprint if isinstance(error, UnknownHostKey) else ""
        own = self._scope.own(Touch.NODE, self.name)
        self._tell_lost(error, fingerprint, own)
        why = {"reason": error.cause, "hint": error.hint, "fingerprint": fingerprint, "own_action": own}
        self._reach(Reachability.LOST, retry_at_s=None if key else self._now + pause, **why)
        if key:
            await self._retry.rung()
        else:
            await self._retry.rest(self._scope.clock, pause)

    def _tell_lost(self, error: Unreachable, fingerprint: str, own_action: str) -> None:
        state = self._state
        if state.reach is Reachability.LOST and (state.fingerprint == fingerprint or not fingerprint):
            return
        lost = "lost" if state.reach is Reachability.UP else "not reached"
        if fingerprint:
            self._scope.tell("warning", self.name, f"its host key is not trusted yet: {fingerprint}")
        elif own_action:
            self._scope.tell("info", self.name, f"goes down: {own_action}")
        else:
            self._scope.tell("error", self.name, f"{lost}: {error.cause}")

    def _found(self) -> None:
        state = self._state
        if state.reach is Reachability.LOST and state.since_s is not None:
            away = f" after {self._now - state.since_s:.0f} s" if state.read_at_s is not None else ""
            self._scope.tell("done", self.name, f"is back{away}" if away else "is reached")
        self._reach(Reachability.UP, reason="", hint="", fingerprint="", own_action="", retry_at_s=None)
        self._before, self._outline, self._garbled = None, None, False

    def _reach(self, reach: Reachability, **changes: object) -> None:
        since = {} if self._state.reach is reach else {"since_s": self._now}
        self._scope.store.update(self.name, reach=reach, **since, **changes)
        if since:
            self._scope.serving.ring()
        for lost in (
            self._scope.head_lost if since and self._state.head and reach is Reachability.LOST else ()
        ):
            lost(self._state.reason)

    # --- while it is up

    async def _attend(self, shell: Shell) -> None:
        """Until the connection is lost; whoever notices that first ends it for all."""
        works = (
            self._readings(shell),
            self._over_and_over(shell, "look", self._facts, self._look, LOOK_S, self._look_now),
            self._over_and_over(shell, "docker", self._docker, self._list, CONTAINERS_S, self._list_now),
        )
        parts = [asyncio.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            next(iter(done)).result()
        finally:
            await cancelled(parts)

    async def _over_and_over(
        self, shell: Shell, what: str, source: WatchedSource, probe: Probe, pause_s: float, bell: Wakeup
    ) -> None:
        while True:
            pause = pause_s * (self._scope.spread if pause_s < LOOK_S else 1.0)
            await self._probed(what, source.asked(probe(shell), pause))
            await bell.rest(self._scope.clock, pause)

    async def _probed(self, what: str, probe: Question) -> None:
        """A probe that fails says so once; only a lost connection is more than that."""
        try:
            await probe
            self._troubles.pop(what, None)
        except Unreachable:
            raise
        except SparkError as error:
            self._trouble(what, f"{error.cause} — {error.hint}" if error.hint else error.cause)
        except Exception as error:  # noqa: BLE001 - the edge of a probe: one that breaks must not end the watch
            self._trouble(what, f"{what}: {type(error).__name__}: {error}")

    def _trouble(self, what: str, text: str) -> None:
        if self._troubles.get(what) != text:
            self._troubles[what] = text
            self._scope.tell("warning", self.name, text)

    # --- readings

    async def _readings(self, shell: Shell) -> None:
        from sparkconsole.remote.sampler.sampler import NoSampler

        while True:
            try:
                await self._sampled(shell)
            except (NoSampler, TooMuch) as error:
                self._trouble("sampler", f"{error.cause}; {error.hint}")
                self._scope.store.update(self.name, reason=error.cause, hint=error.hint)
                if isinstance(error, NoSampler):
                    await self._over_and_over(
                        shell, "facts", self._samples, self._by_facts, FACTS_S, Wakeup()
                    )
            except Unreachable:
                raise
            except Exception as error:  # noqa: BLE001 - the edge of a probe: readings begin again
                self._trouble("sampler", f"the sampler ended: {error}")
            await self._scope.clock.sleep(AGAIN_S)

    async def _sampled(self, shell: Shell) -> None:
        from sparkconsole.remote.sampler.sampler import samples

        async with aclosing(samples(shell, garbage=self._garbage)) as found:
            while True:
                await self._samples.asked(self._sample(found), FACTS_S)

    async def _sample(self, found: AsyncGenerator[Sample, None]) -> None:
        sample = await anext(found)
        if self._state.reason:
            self._scope.store.update(self.name, reason="", hint="")
        now, self._before = reading(self._before, sample), sample
        self._samples.heard()
        self._keep(now)

    def _keep(self, found: Reading) -> None:
        store = self._scope.store
        killed = {"killed_at_s": self._now} if found.oom_kills else {}
        store.update(self.name, reading=found, read_at_s=self._now, **killed)
        if self.name in store.histories:
            store.histories[self.name].add(found)
        for level, text in self._changes.feed(found, self._now, self._netdevs):
            self._scope.tell(level, self.name, text)
        alarm = self._changes.memory.verdict.sentence
        if self._state.memory_alarm != alarm:
            store.update(self.name, memory_alarm=alarm)

    def _garbage(self, line: str) -> None:
        """One sentence a connection; what was read before says nothing of now."""
        if not self._garbled:
            self._garbled = True
            self._scope.tell("warning", self.name, f"its sampler says what is not understood: {line[:120]!r}")
        self._samples.owed_s = None
        if self._before is None and self._state.reading is not None:
            self._scope.store.update(self.name, reading=None)

    async def _by_facts(self, shell: Shell) -> None:
        self._keep(await reading_by_facts(shell))
        self._samples.heard()

    # --- the slow looks

    async def _look(self, shell: Shell) -> None:
        scope = self._scope
        look = await look_through(scope.fleet, shell, scope.container, scope.image)
        self._netdevs = {h.netdev: h.device for h in look.facts.fabric.hcas if h.netdev}
        addresses = (a for n in look.facts.fabric.netdevs for a in n.addresses)
        scope.interfaces[self.name] = {a.partition("/")[0] for a in addresses}
        scope.fleet.learn_addresses(self.name, look.addresses)
        scope.store.update(self.name, look=look)
        self._facts.heard()

    def _forget_look(self, _: str) -> None:
        self._scope.store.update(self.name, look=None)

    def _forget_docker(self, why: str) -> None:
        self._outline = None
        self._scope.store.update(self.name, containers=None, images=None, docker_error=why)

    async def _list(self, shell: Shell) -> None:
        """Asks for more than an outline only where that changed."""
        from sparkconsole.remote.docker import engine as docker

        try:
            outline = await docker.outline(shell)
            before = self._outline or (("",), ("",))
            ran = await docker.containers(shell) if outline[0] != before[0] else None
            held = await docker.images(shell) if outline[1] != before[1] else None
        except SparkError as error:
            if not isinstance(error, Unreachable | TimedOut):
                self._docker.unknown = True
                self._forget_docker(error.cause)
            raise
        # What was called unknown meanwhile is asked for once more.
        self._outline = None if self._docker.unknown else outline
        if self._docker.unknown:
            self._scope.store.update(self.name, docker_error="")
        self._docker.heard()
        if ran is not None:
            self._take_containers(ran)
        if held is not None:
            self._scope.store.update(self.name, images=held)

    def _take_containers(self, found: tuple[Container, ...]) -> None:
        """An end is told with the deed of ours that ended it; what began after the deed ended by itself."""
        scope = self._scope
        change = container_change(scope.container, self._state.containers, found)
        scope.store.update(self.name, containers=found)
        if change is None:
            return
        lived = self._now - self._ran_since if self._ran_since is not None else math.inf
        runs = scope.container_on(self.name) is not None
        self._ran_since = self._now if runs else self._ran_since
        own = "" if runs else scope.own(Touch.CONTAINER, self.name, alive_s=lived)
        scope.tell(change[0], self.name, change[1], own)
        scope.serving.ring()
