"""The server's own HTTP API, over the node's connection. `/health` stays 200 for minutes after a rank died:

only a completion proves that it serves.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.remote.http import http
from sparkconsole.remote.shell import Shell


@dataclass(frozen=True, slots=True)
class Served:
    """One model that a server offers."""

    id: str
    """The name requests use."""
    root: str
    """Where it came from: a path or a name on the hub."""
    max_model_len: int | None = None


async def served(shell: Shell, port: int, *, timeout: float = 5.0) -> tuple[Served, ...]:
    """What the server on the node's `port` offers; SparkError when nobody answers."""
    data = await _json(shell, port, "GET", "/v1/models", timeout)
    rows = data.get("data", ()) if isinstance(data, dict) else ()
    return tuple(Served(r["id"], r.get("root") or r["id"], r.get("max_model_len")) for r in rows if "id" in r)


async def models(shell: Shell, port: int, *, timeout: float = 5.0) -> tuple[str, ...]:
    """The names under which models are served."""
    return tuple(s.id for s in await served(shell, port, timeout=timeout))


async def healthy(shell: Shell, port: int, *, timeout: float = 5.0) -> bool:
    """`/health` is 200: the API process lives. That is all it means."""
    try:
        async with (
            http(shell, f"127.0.0.1:{port}", timeout=timeout) as session,
            session.get("/health") as answer,
        ):
            return answer.status == 200
    except SparkError:
        return False


async def complete_one_token(shell: Shell, port: int, *, timeout: float = 10.0) -> str:
    """The name of the model that just completed one token; SparkError or TimedOut when none did."""
    names = await models(shell, port, timeout=timeout)
    if not names:
        raise SparkError(f"the server on port {port} offers no model", node=shell.node)
    body = {"model": names[0], "prompt": "1", "max_tokens": 1, "temperature": 0}
    answer = await _json(shell, port, "POST", "/v1/completions", timeout, body)
    if not (isinstance(answer, dict) and answer.get("choices")):
        raise SparkError(f"the server on port {port} answered without a completion", node=shell.node)
    return names[0]


async def _json(
    shell: Shell, port: int, method: str, path: str, timeout: float, body: dict[str, Any] | None = None
) -> Any:
    key = os.environ.get("VLLM_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        http(shell, f"127.0.0.1:{port}", timeout=timeout) as session,
        session.request(method, path, json=body, headers=headers) as answer,
    ):
        answer.raise_for_status()
        return await answer.json(content_type=None)
