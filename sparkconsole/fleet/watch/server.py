"""The served model: asked cheaply while it answers, looked for among processes and logs while it does not.

`/health` stays 200 for minutes after a rank died: fleet.watch.hang says whether it still gives tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sparkconsole.errors import SparkError, TimedOut, TooMuch
from sparkconsole.fleet.serve import memory_guards as guarding
from sparkconsole.fleet.store import NodeState, Reachability, ServerPhase, ServerState
from sparkconsole.fleet.watch.context import WatchContext, WatchedSource
from sparkconsole.fleet.watch.death import Deaths, verdict
from sparkconsole.fleet.watch.hang import HangWatch, Roll
from sparkconsole.fleet.watch.serve_log import FollowedLog
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.serve.engine import EngineLoad, LiveRank
from sparkconsole.model.serve.hang import Trouble, troubles
from sparkconsole.model.serve.spec import StartPhase
from sparkconsole.model.serve.vllm_flags import value, whole
from sparkconsole.model.text.units import minutes_and_seconds
from sparkconsole.remote.shell import Shell

ASK_S, LOOK_S, LEAST_S = 2.0, 5.0, 0.5
"""Between questions to the server, between looks at processes while none answers, and the least of a rate."""
MISSES = 2
"""Questions without an answer until a server that was ready is believed not to answer."""
SILENT = "the server has not answered for {:.0f} s: whether it serves is unknown"
_SERVES = (ServerPhase.READY, ServerPhase.WEDGED)
_NOTHING: Mapping[str, object] = {"stage": "", "percent": None, "load": None, "signs": ()}
_ENDED: Mapping[str, object] = {**_NOTHING, "suspect": "", "look_at": "", "ranks": 0}
_WELL: Mapping[str, object] = {**_NOTHING, "detail": "", "suspect": "", "look_at": ""}


class ServerWatch:
    """`run` until it is cancelled."""

    def __init__(self, scope: WatchContext, port: int, roll: Roll) -> None:
        self._scope, self._port, self._roll = scope, port, roll
        self._hangs, self._deaths = HangWatch(scope, roll, self._doubted), Deaths(roll)
        self._ranked: tuple[LiveRank, ...] = ()
        self._bell = scope.serving
        self._logs: dict[str, FollowedLog] = {}
        self._lead: LiveRank | None = None
        self._looked_at: float | None = None
        self._misses = self._bare = 0
        self._announced, self._own = ServerPhase.UNKNOWN, ""
        self._load: tuple[float, EngineLoad] | None = None
        self._source = WatchedSource(scope, "serve", SILENT, "the server answers again", self._unknown)
        scope.head_lost.append(self._unknown)
        scope.store.serve(port=port)

    def refresh(self) -> None:
        """Looks now."""
        self._looked_at = None
        self._bell.ring()

    async def run(self) -> None:
        """Looks over and over."""
        try:
            while True:
                await self._probed()
                await self._bell.rest(self._scope.clock, ASK_S)
        finally:
            await self._forget_logs()

    async def _probed(self) -> None:
        try:
            await self._source.asked(self._look(), ASK_S)
        except SparkError as error:
            self._become(ServerPhase.UNKNOWN, detail=error.cause)
        except Exception as error:  # noqa: BLE001 - the edge of a probe: one that breaks must not end the watch
            self._become(ServerPhase.UNKNOWN, detail=f"{type(error).__name__}: {error}")

    @property
    def _now(self) -> float:
        return self._scope.clock.monotonic()

    @property
    def _server(self) -> ServerState:
        return self._scope.store.server

    async def _look(self) -> None:
        head = self._scope.head
        if head is None:
            return self._become(ServerPhase.NONE)
        if head.reach is not Reachability.UP or head.containers is None:
            docker = f"{head.name}: {head.docker_error}" if head.docker_error else ""
            return self._become(ServerPhase.UNKNOWN, detail=head.reason or docker)
        if self._scope.container_on(head.name) is None:
            return await self._without_container(head)
        self._bare = 0
        from sparkconsole.remote.serve.vllm import pulse

        shell, load, why = await self._scope.fleet.shell(head.name), None, "it does not answer"
        try:
            load = await pulse(shell, self._port)
        except SparkError as error:
            if isinstance(error, TooMuch):
                raise
            why = "it does not answer in time" if isinstance(error, TimedOut) else why
        return await (self._silent(shell, why) if load is None else self._answers(shell, load))

    async def _without_container(self, head: NodeState) -> None:
        """What a `stop` removes is there for a moment, ended; what died stays."""
        serving = self._server.phase in (*_SERVES, ServerPhase.LOADING)
        ended = self._scope.container_of(head.name)
        if serving and ended is not None and ended.exit_code:
            self._bare += 1
            if self._bare <= MISSES:
                return
            self._fails(ServerPhase.FAILED, f"its container ended with {ended.exit_code}", **_NOTHING)
        elif serving or self._server.phase is not ServerPhase.FAILED:
            self._become(ServerPhase.NONE, suspect="", look_at="")
        await self._forget_logs()

    # --- it answers

    async def _answers(self, shell: Shell, load: EngineLoad) -> None:
        self._misses = 0
        if self._server.phase not in _SERVES or self._lead is None:
            await self._recognise(shell)
        # Two looks in a row, because something rang, have no time between them that a rate could be of.
        fresh = self._load is None or self._now - self._load[0] >= LEAST_S
        server = self._server
        prompt, generated = self._rates(load) if fresh else (server.prompt_per_s, server.generated_per_s)
        if await self._dead(moved=bool(generated)):
            return None
        if fresh:
            self._scope.store.prompted.append(prompt)
            self._scope.store.generated.append(generated)
        log, moved = self._lead_log, bool(prompt or generated)
        mute_s = self._now - log.heard_at_s if log is not None and log.heard_at_s is not None else None
        hang = await self._hangs.look(shell, load, self._ranked, moved=moved, mute_s=mute_s)
        if self._dies():
            return None
        rates = {"load": load, "prompt_per_s": prompt, "generated_per_s": generated, "seen_at_s": self._now}
        if hang is None:
            return self._become(ServerPhase.READY, **{**_WELL, **rates, "stage": StartPhase.READY.value})
        why = {"detail": hang.sentence, "suspect": hang.node, "look_at": hang.look_at, "signs": hang.signs}
        return self._become(ServerPhase.WEDGED, stage="", percent=None, **why, **rates)

    async def _dead(self, *, moved: bool = False) -> bool:
        """Its API process outlives its engine by minutes: what its logs and nodes show comes first."""
        why = self._deaths.line(self._logs) or await self._deaths.ended_rank(self._logs)
        gone = self._deaths.rank_gone(self._server.ranks)
        if not why and gone is None:
            return False
        if self._deaths.proved_wrong(self._logs.values(), moved=moved):
            return False
        phase = ServerPhase.FAILED if why else ServerPhase.WEDGED
        self._fails(phase, why or "no token can come since", **_NOTHING)
        return True

    def _dies(self) -> bool:
        """At the line that says it, also while a token is waited for."""
        why = self._deaths.line(self._logs)
        if not why:
            return False
        if self._server.phase in (*_SERVES, ServerPhase.UNKNOWN):
            self._fails(ServerPhase.FAILED, why, **_NOTHING)
        self._bell.ring()
        return True

    def _doubted(self, trouble: Trouble) -> None:
        why = f"{trouble.node}: {trouble.cause}; a token was asked for and has not come yet"
        self._become(ServerPhase.UNKNOWN, detail=why, suspect=trouble.node, look_at=trouble.look_at)

    @property
    def _lead_log(self) -> FollowedLog | None:
        """Of the rank that answers; None: nobody serves, or it was started by hand."""
        return self._logs.get(self._lead.job) if self._lead is not None else None

    async def _recognise(self, shell: Shell) -> None:
        """Which model it is, how many ranks it has, and where its log is."""
        from sparkconsole.remote.serve.vllm import Declined, models

        ranks = self._ranked = await self._ranks(shell)
        names: Sequence[str] = ()
        try:
            names = await models(shell, self._port)
        except Declined:
            pass
        except SparkError:
            return
        name = next(iter((*names, *(r.name for r in ranks))), "")
        self._scope.store.serve(model=name or self._server.model)

    def _rates(self, load: EngineLoad) -> tuple[float | None, float | None]:
        now, before = self._now, self._load
        self._load = (now, load)
        if before is None or now <= before[0]:
            return None, None
        seconds, old = now - before[0], before[1]
        return (
            _rate(old.prompt_tokens, load.prompt_tokens, seconds),
            _rate(old.generated_tokens, load.generated_tokens, seconds),
        )

    # --- it does not

    async def _silent(self, shell: Shell, why: str) -> None:
        self._load = None
        ready, lead = self._announced in _SERVES, self._lead
        self._misses += 1
        if ready and (await self._dead() or self._misses < MISSES):
            return None
        if self._looked_at is not None and self._now - self._looked_at < LOOK_S:
            return None
        if not await self._ranks(shell):
            return await self._gone()
        same = lead in (None, self._lead)
        return None if await self._dead() else self._still_there(why, was_ready=ready and same)

    def _still_there(self, why: str, *, was_ready: bool) -> None:
        """Its processes run, and nobody says that it died."""
        log = self._lead_log
        if log is not None and log.reader.ready and (cause := log.reader.cause()):
            return self._fails(ServerPhase.FAILED, cause.sentence)
        if was_ready:
            return self._fails(ServerPhase.WEDGED, why)
        if log is None:
            return self._become(ServerPhase.LOADING, stage="", percent=None, detail="started by hand")
        now = log.reader.progress
        how = {"stage": now.phase.value, "percent": now.percent, "detail": now.detail}
        return self._become(ServerPhase.LOADING, **how)

    def _fails(self, phase: ServerPhase, why: str, **changes: object) -> None:
        """With the node that is in trouble before what the server says of it: that is the consequence."""
        first = self._blamed()
        self._become(
            phase,
            detail=f"{first.node}: {first.cause}; {why}" if first else why,
            suspect=first.node if first else self._lead.node if self._lead else "",
            look_at=first.look_at if first else "",
            **changes,
        )

    def _blamed(self) -> Trouble | None:
        """Once it has failed it stays whose fault it was, though the node may be mended meanwhile."""
        return next(iter(troubles(self._roll.signs())), None)

    async def _gone(self) -> None:
        """No process serves: it ended by itself, or somebody ended it."""
        log = self._lead_log
        if self._lead is None and self._server.phase is ServerPhase.FAILED:
            return
        state = await log.end() if log is not None else None
        if state is not None and state.running:
            return
        why = verdict(state, log.reader) if state is not None and log is not None else ""
        guard = await guarding.fired(self._scope.fleet, log.job, self._scope.store.up()) if log else None
        if guard is not None:
            why = f"{guard.node}: {guard.why}"
            look_at = guarding.REMEDY
            self._become(ServerPhase.FAILED, detail=why, suspect=guard.node, look_at=look_at, **_NOTHING)
        elif why or (state is not None and state.status == 0 and (first := self._blamed()) and first.dead):
            self._fails(ServerPhase.FAILED, why or "it ended", **_NOTHING)
        else:
            self._become(ServerPhase.NONE, detail="", **_ENDED)
        await self._forget_logs()

    # --- who serves

    async def _ranks(self, shell: Shell) -> tuple[LiveRank, ...]:
        """Those that serve on our port, or the only port there is; the leading rank first."""
        self._looked_at = self._now
        found = await self._all_ranks(shell)
        leads = [r for r in found if r.node == shell.node and r.rank == 0]
        lead = next((r for r in leads if r.port == self._port), leads[0] if leads else None)
        if lead is None:
            return ()
        await self._follow(lead, [r for r in found if r.port == lead.port])
        return (lead, *(r for r in found if r is not lead and r.port == lead.port))

    async def _all_ranks(self, shell: Shell) -> list[LiveRank]:
        """With Ray one process on the head is all; without, every node has its own."""
        from sparkconsole.remote.serve.processes import live_ranks

        scope, launch = self._scope, self._scope.launch()
        found = list(await live_ranks(shell, scope.container))
        if launch is None or launch.backend is not Backend.NONE or not found:
            return found
        others = [n for n in scope.store.up() if n != shell.node and scope.container_on(n)]
        answers = await scope.fleet.ask(lambda other: live_ranks(other, scope.container), others)
        return found + [r for a in answers.values() if not isinstance(a, SparkError) for r in a]

    async def _follow(self, lead: LiveRank, ranks: Sequence[LiveRank]) -> None:
        scope = self._scope
        if self._lead is None or self._lead.job != lead.job or self._lead.group != lead.group:
            await self._forget_logs()
            self._tell_words(ServerPhase.NONE)
            self._port = lead.port
            scope.store.serve(model=lead.name, port=lead.port, ranks=_world(lead, ranks), load=None)
        self._lead = lead
        for rank in ranks:
            if rank.job:
                log = FollowedLog(scope, rank.as_job(scope.container), self._dies)
                self._logs.setdefault(rank.job, log).start()

    async def _forget_logs(self) -> None:
        logs, self._logs, self._lead = self._logs, {}, None
        self._ranked = ()
        self._hangs.forget()
        self._deaths.forget()
        for log in logs.values():
            await log.aclose()

    # --- what is told

    def _unknown(self, why: str) -> None:
        self._become(ServerPhase.UNKNOWN, detail=why)

    def _become(self, phase: ServerPhase, **changes: object) -> None:
        store, before = self._scope.store, self._server
        if phase in (ServerPhase.FAILED, ServerPhase.WEDGED) and self._own_end(before):
            phase, changes = ServerPhase.NONE, {**changes, **_ENDED, "detail": f"ended by {self._own}"}
        elif phase is ServerPhase.NONE and self._own_end(before):
            changes["detail"] = f"ended by {self._own}"
        elif phase in (ServerPhase.READY, ServerPhase.LOADING):
            self._own = ""
        news = phase in (ServerPhase.READY, ServerPhase.LOADING)
        self._source.heard(known=phase is not ServerPhase.UNKNOWN, news=news)
        if before.phase is not phase:
            changes["since_s"] = self._now
            self._tell_words(phase)
        changed = {k: v for k, v in changes.items() if getattr(before, k) != v}
        if before.phase is not phase or changed:
            store.serve(phase=phase, **changed)
        if phase not in (ServerPhase.UNKNOWN, self._announced):
            self._tell(self._announced, phase, before.since_s)
            self._announced = phase

    def _own_end(self, before: ServerState) -> str:
        """The deed of ours that ended it: once known it stays the reason while what is left of it ends."""
        if not self._own and before.phase in (*_SERVES, ServerPhase.LOADING, ServerPhase.UNKNOWN):
            self._own = self._scope.own_end(self._lead.job if self._lead is not None else "")
        return self._own

    def _tell_words(self, phase: ServerPhase) -> None:
        """What NCCL uses is known of a server that is there; one that was ended in order leaves no blame."""
        for log in self._logs.values():
            log.tell_transport()
        blame = {"log_error": ""} if phase is ServerPhase.NONE else {}
        for name in self._scope.store.nodes if phase in (ServerPhase.UNKNOWN, ServerPhase.NONE) else ():
            self._scope.store.update(name, nccl="", nccl_lines=(), **blame)

    def _tell(self, before: ServerPhase, phase: ServerPhase, since_s: float | None) -> None:
        loaded = before is ServerPhase.LOADING and since_s is not None
        match phase:
            case ServerPhase.READY:
                after = f" after {minutes_and_seconds(self._now - (since_s or 0.0))}" if loaded else ""
                again = " again" if before in (ServerPhase.WEDGED, ServerPhase.FAILED) else ""
                level, text = "done", f"is ready{again}{after}"
            case ServerPhase.LOADING:
                level, text = "info", "starts"
            case ServerPhase.WEDGED:
                level, text = "error", f"is stuck: {self._server.detail}"
            case ServerPhase.FAILED:
                level, text = "error", f"failed: {self._server.detail}"
            case _:
                level, text = "info", "is no longer served" + (f": {self._own}" if self._own else "")
        if phase is not ServerPhase.NONE or before is not ServerPhase.UNKNOWN:
            self._scope.tell(level, "serve", f"{self._server.model or 'the server'} {text}")


def _rate(before: float | None, now: float | None, seconds: float) -> float | None:
    """A counter that went back belongs to another server."""
    if before is None or now is None or now < before:
        return None
    return (now - before) / seconds


def _world(lead: LiveRank, ranks: Sequence[LiveRank]) -> int:
    """Tensor times pipeline parallelism, as its words say."""
    flags = ("--tensor-parallel-size", "--pipeline-parallel-size")
    return max(math.prod(whole(value(lead.words, flag)) or 1 for flag in flags), len(ranks))
