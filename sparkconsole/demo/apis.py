"""The HTTP faces of a pretend Spark on one Unix socket: Docker's, Ray's and the server's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aiohttp import web

from sparkconsole.demo.machine import Machine
from sparkconsole.demo.sampled import metrics
from sparkconsole.demo.tools import container_log

_POLL_S = 1.0


class Apis:
    """Serves one machine; `start` and `aclose` bound its life."""

    def __init__(self, machine: Machine, path: Path) -> None:
        self.machine, self.path = machine, path
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application)

    async def start(self) -> None:
        """Listens."""
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.path)).start()

    async def aclose(self) -> None:
        """Stops listening."""
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not self.machine.on and request.transport is not None:
            request.transport.abort()
        path = re.sub(r"^/v1\.\d+/", "/", request.path)
        if path.startswith("/api/"):
            return self._ray()
        if path == "/metrics" and self.machine.servers():
            return web.Response(text=metrics(self.machine))
        if path in ("/health", "/v1/models", "/v1/completions", "/metrics"):
            return self._server(path)
        if path.endswith("/logs") and request.query.get("follow") == "1":
            return await self._followed(path.split("/")[2], request)
        return self._docker(path, request)

    async def _followed(self, name: str, request: web.Request) -> web.StreamResponse:
        """A container's log from now on, until the container or the reader is gone."""
        response = web.StreamResponse()
        await response.prepare(request)
        told = 0
        while self.machine.on and name in self.machine.containers:
            text = container_log(self.machine, name)
            await response.write(text[told:].encode())
            told = len(text)
            await self.machine.clock.sleep(_POLL_S)
        return response

    def _ray(self) -> web.Response:
        if not self.machine.ray_head():
            raise web.HTTPServiceUnavailable
        rows = [_member(m) for m in self.machine.cluster.values() if m.in_ray()]
        return web.json_response({"result": True, "data": {"result": {"total": len(rows), "result": rows}}})

    def _server(self, path: str) -> web.Response:
        found = self.machine.servers()
        if not found:
            raise web.HTTPServiceUnavailable
        _, model, _, name = found[0]
        answers: dict[str, Any] = {
            "/health": {},
            "/v1/models": {"data": [{"id": name, "root": model, "max_model_len": 4096}]},
            "/v1/completions": {"model": name, "choices": [{"text": " 1", "finish_reason": "length"}]},
        }
        return web.json_response(answers[path])

    def _docker(self, path: str, request: web.Request) -> web.Response:
        kind, _, rest = path.strip("/").partition("/")
        if kind == "version":
            return web.json_response({"ApiVersion": "1.44", "Version": "29.2.1"})
        if kind == "info":
            return web.json_response(
                {"ServerVersion": "29.2.1", "Driver": "overlay2", "DockerRootDir": "/var/lib/docker"}
            )
        if rest == "json":
            return web.json_response(self._all(kind))
        name, _, what = rest.rpartition("/")
        if kind == "containers" and what == "logs" and name in self.machine.containers:
            return web.Response(text=self._tail(name, request.query.get("tail", "all")))
        found = self.machine.image(name) if kind == "images" else self.machine.container_json(name)
        if found is None:
            return web.json_response({"message": f"No such {kind[:-1]}: {name}"}, status=404)
        return web.json_response(found)

    def _all(self, kind: str) -> list[dict[str, Any]]:
        if kind == "images":
            return list(self.machine.images.values())
        found = (self.machine.container_json(n) for n in self.machine.containers)
        return [{**c, "Names": [c["Name"]]} for c in found if c]

    def _tail(self, name: str, tail: str) -> str:
        lines = container_log(self.machine, name).splitlines(keepends=True)
        return "".join(lines[-int(tail) :] if tail.isdigit() else lines)


def _member(machine: Machine) -> dict[str, Any]:
    return {
        "node_id": f"{machine.number:056x}",
        "node_ip": machine.address,
        "is_head_node": machine.ray_head(),
        "state": "ALIVE",
        "state_message": None,
        "node_name": machine.address,
        "resources_total": {"CPU": 20.0, "GPU": 1.0, "memory": 1e11},
    }
