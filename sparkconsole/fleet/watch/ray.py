"""Whether every worker lives: Ray's members against containers against what answers; a death is told at once.

Ray is asked only while the launch that runs uses it. It takes 15 s and more to miss a member: containers and
connections tell sooner, so each is heard, and a death is told once, by whoever noticed it first.
"""

from __future__ import annotations

from collections.abc import Sequence

from sparkconsole.errors import SparkError, TimedOut, TooMuch
from sparkconsole.fleet.store import Reachability, ServerPhase
from sparkconsole.fleet.watch.context import WatchContext, WatchedSource
from sparkconsole.fleet.watch.hang import Roll
from sparkconsole.model.foresight.own_actions import Touch
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.ray import RayMember, living
from sparkconsole.model.serve.hang import UNSEEN, Trouble, troubles

RAY_S = 3.0
SILENT = "Ray has not answered for {:.0f} s: who is in it is unknown"
_NEEDED = (ServerPhase.READY, ServerPhase.WEDGED, ServerPhase.LOADING)


class RayWatch:
    """`run` until it is cancelled."""

    def __init__(self, scope: WatchContext, roll: Roll) -> None:
        self._scope, self._roll = scope, roll
        self._alive: dict[str, bool] = {}
        """As it was told last."""
        self._dead: set[str] = set()
        """Whose death was told."""
        self._doubted: set[str] = set()
        """Of whose rank it was told that nobody knows."""
        self._source = WatchedSource(scope, "ray", SILENT, "Ray answers again", self._forget)
        scope.head_lost.append(self._forget)

    async def run(self) -> None:
        """Asks over and over."""
        while True:
            try:
                await self._source.asked(self._look(), RAY_S)
            except Exception as error:  # noqa: BLE001 - the edge of a probe: what Ray answers must not end it
                if not isinstance(error, TimedOut):  # what it said is known until it is silent for too long
                    self._forget()
                if isinstance(error, TooMuch) or not isinstance(error, SparkError):
                    text = str(error) if isinstance(error, TooMuch) else f"{type(error).__name__}: {error}"
                    self._scope.tell("warning", "ray", text)
                    await self._scope.clock.sleep(60)
            self._tell_deaths()
            await self._scope.clock.sleep(RAY_S)

    async def _look(self) -> None:
        head, launch = self._scope.head, self._scope.launch()
        up = head is not None and head.reach is Reachability.UP
        if launch is None or not up or launch.backend is not Backend.RAY:
            self._alive = {}
            self._roll.joined.clear()
            self._source.heard(news=False)
            return self._forget()
        from sparkconsole.remote.ray import members

        fleet = self._scope.fleet
        found = await members(await fleet.shell(fleet.head), launch.dashboard_port)
        self._source.heard()
        return self._take(found)

    def _take(self, members: Sequence[RayMember]) -> None:
        self._roll.members = tuple(members)
        there = set(living(members))
        for name, state in self._scope.store.nodes.items():
            alive = bool(there & self._scope.addresses(name))
            if alive:
                self._roll.joined.add(name)
            if state.ray_alive is not alive:
                self._scope.store.update(name, ray_alive=alive)
            self._tell(name, alive=alive)

    def _tell(self, name: str, *, alive: bool) -> None:
        before, self._alive[name] = self._alive.get(name), alive
        if alive and before is False:
            self._scope.tell("info", name, "joined Ray")
        elif before and not alive and name not in self._dead:
            own = self._scope.own(Touch.CONTAINER, name)
            text = ": ".join(("is no longer in Ray", *filter(None, (own or self._roll.last_words(name),))))
            self._scope.tell("info" if own else "warning", name, text)

    def _tell_deaths(self) -> None:
        """Only while a server needs its workers: without one, what happened to the container says all."""
        if self._scope.store.server.phase not in _NEEDED:
            self._dead.clear()
            self._doubted.clear()
            return
        found = {t.node: t for t in troubles(self._roll.signs()) if t.dead}
        for name in found.keys() - self._dead:
            own = self._scope.own(Touch.CONTAINER, name) or self._scope.own(Touch.NODE, name)
            level = "warning" if found[name].id in UNSEEN else "error"
            self._scope.tell(level, name, self._sentence(found[name]), own)
        for name in self._doubted - found.keys():
            if self._scope.store.server.phase is ServerPhase.READY:
                self._scope.tell("done", name, f"{self._model} has its rank here still")
        self._dead, self._doubted = set(found), {n for n, t in found.items() if t.id in UNSEEN}

    @property
    def _model(self) -> str:
        return self._scope.store.server.model or "the server"

    def _sentence(self, death: Trouble) -> str:
        model = self._model
        if death.id in UNSEEN:
            return f"{death.cause}; whether {model} has its rank here still is unknown"
        state = self._scope.store.nodes.get(death.node)
        late = ", which Ray has not noticed yet" if state is not None and state.ray_alive else ""
        return f"{model} lost its rank here: {death.cause}{late}"

    def _forget(self, _: str = "") -> None:
        """No answer: nobody knows."""
        for name, state in self._scope.store.nodes.items():
            if state.ray_alive is not None:
                self._scope.store.update(name, ray_alive=None)
