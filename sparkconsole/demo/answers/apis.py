"""The HTTP faces of a pretend Spark, a socket for each target: Docker's, Ray's and the server's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from sparkconsole.demo.answers.sampled import metrics
from sparkconsole.demo.spark.engine import PretendContainer, container_log
from sparkconsole.demo.spark.machine import Machine
from sparkconsole.demo.spark.storage import disk_usage, registered

GARBAGE = "\x1b[31m[/x] 0xDEADBEEF \x00<html>"
SLOW_S = 4.0
RAY_PORT = 8265
_POLL_S = 1.0
_ENGINE = {
    "version": {"ApiVersion": "1.44", "Version": "29.2.1"},
    "info": {"ServerVersion": "29.2.1", "Driver": "overlay2", "DockerRootDir": "/var/lib/docker"},
}


class Apis:
    """Serves one machine over one connection, `closed` once that is gone; `aclose` ends it."""

    def __init__(self, machine: Machine, folder: Path, closed: Callable[[], bool]) -> None:
        self.machine, self._folder, self._closed = machine, folder, closed
        self._targets: dict[str, str] = {}
        """What each socket of ours leads to."""
        self._lock = asyncio.Lock()
        self._starts: list[asyncio.Future[None]] = []
        self._runner: web.AppRunner | None = None

    async def socket(self, target: str) -> str:
        """The path of the socket that leads there; also where nobody listens, as with SSH."""
        async with self._lock:
            if self._runner is None:
                application = web.Application()
                application.router.add_route("*", "/{path:.*}", self._answer)
                runner = web.AppRunner(application, shutdown_timeout=0.1)
                await runner.setup()
                self._runner = runner
            path = next((p for p, t in self._targets.items() if t == target), "")
            if not path:
                path = str(self._folder / f"{len(self._targets)}.sock")
                self._targets[path] = target
                # Whoever asked may go away meanwhile; a socket half made would stay open for good.
                self._starts.append(asyncio.ensure_future(web.UnixSite(self._runner, path).start()))
                await asyncio.shield(self._starts[-1])
            return path

    async def aclose(self) -> None:
        """Stops listening."""
        await asyncio.gather(*self._starts, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if "slow" in self.machine.faults:
            await self.machine.clock.sleep(SLOW_S)
        # Nothing comes from a frozen machine, and no token from a server that hangs.
        hangs = request.path == "/v1/completions"
        while (self.machine.frozen or (hangs and self.machine.hangs)) and not self._closed():
            await self.machine.clock.sleep(_POLL_S)
        where = request.transport.get_extra_info("sockname") if request.transport else ""
        target = self._targets.get(where, "")
        if self._closed() or (target.startswith("/") and "docker-silent" in self.machine.faults):
            return _cut(request)
        if "garbage" in self.machine.faults:
            return web.Response(text=GARBAGE)
        if target.startswith("/"):
            return await self._docker(re.sub(r"^/v1\.\d+/", "/", request.path), request)
        port = int(target.rpartition(":")[2] or 0)
        if port not in self.machine.listening():
            return _cut(request)
        if port != RAY_PORT:
            return self._server(port, request.path)
        # A server of several ranks has a placement group.
        group = {"placement_group_id": "6bf42d", "state": "CREATED"}
        groups = {"result": [group for _ in self.machine.servers()]}
        listed = groups if request.path.endswith("/placement_groups") else self._members()
        return web.json_response({"result": True, "data": {"result": listed}})

    # --- Ray and the server

    def _members(self) -> dict[str, Any]:
        head = next(c for c in self.machine.running() if c.ray_head)
        alive = [(m, c) for m in self.machine.cluster.values() for c in m.running() if c.in_ray]
        members = [_member(m.member_id(c), m.address, head=c is head) for m, c in alive]
        members += [_member(*dead, dead=True) for dead in head.dead]
        return {"total": len(members), "result": members}

    def _server(self, port: int, path: str) -> web.Response:
        _, model, _, name = next(s for s in self.machine.servers() if s[2] == port)
        if path == "/metrics":
            return web.Response(text=metrics(self.machine))
        answers: dict[str, Any] = {
            "/health": {},
            "/version": {"version": "0.32.0"},
            "/v1/models": {"data": [{"id": name, "root": model, "max_model_len": 4096}]},
            "/v1/completions": {"model": name, "choices": [{"text": " 1", "finish_reason": "length"}]},
        }
        if path not in answers:
            raise web.HTTPNotFound
        return web.json_response(answers[path])

    # --- Docker

    async def _docker(self, path: str, request: web.Request) -> web.StreamResponse:
        kind, _, rest = path.strip("/").partition("/")
        if kind in _ENGINE:
            return web.json_response(_ENGINE[kind])
        if rest == "df" or kind == "distribution":
            answer = disk_usage(self.machine) if rest == "df" else registered(rest.removesuffix("/json"))
            return web.json_response(answer)
        if rest == "json":
            images = [*self.machine.images.values(), *self.machine.nameless.values()]
            containers = [{**c.as_json(), "Names": [f"/{c.name}"]} for c in self.machine.containers.values()]
            return web.json_response(images if kind == "images" else containers)
        name, _, what = rest.rpartition("/")
        if kind == "containers" and what == "logs" and name in self.machine.containers:
            return await self._log(self.machine.containers[name], request)
        found = self.machine.image(name) if kind == "images" else self.machine.container_json(name)
        if found is None:
            return web.json_response({"message": f"No such {kind[:-1]}: {name}"}, status=404)
        return web.json_response(found)

    async def _log(self, container: PretendContainer, request: web.Request) -> web.StreamResponse:
        """What was asked for, and with `follow` what comes until the container or the reader is gone."""
        tail, since = request.query.get("tail", "all"), float(request.query.get("since", 0))
        seen = len(container.printed)
        text = container_log(container, since=since, tail=int(tail) if tail.isdigit() else None)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(text.encode())
        while request.query.get("follow") == "1" and container.running:
            await self.machine.clock.sleep(_POLL_S)
            if self._closed() or "docker-silent" in self.machine.faults:
                return _cut(request)
            new, seen = len(container.printed) - seen, len(container.printed)
            await response.write(container_log(container, tail=new).encode())
        return response


def _cut(request: web.Request) -> web.Response:
    """Nobody is there: the connection ends without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _member(name: str, address: str, *, head: bool = False, dead: bool = False) -> dict[str, Any]:
    return {
        "node_id": name,
        "node_ip": address,
        "is_head_node": head,
        "state": "DEAD" if dead else "ALIVE",
        "state_message": "Unexpected termination: health check failed (DEMO)" if dead else None,
        "node_name": address,
        "resources_total": {"CPU": 20.0, "GPU": 1.0, "memory": 1e11},
    }
