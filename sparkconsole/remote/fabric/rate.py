"""How fast one rail is between two nodes: two ends of a tool, or of plain TCP, started and always ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from sparkconsole.errors import SparkError, TimedOut
from sparkconsole.model.fabric.paths import Rail, RailWay
from sparkconsole.model.fabric.rates import MOST_BYTES, SECONDS
from sparkconsole.parse.fabric.tools import parse_ib_write_bw, parse_iperf3, trouble_of
from sparkconsole.parse.values import json_object
from sparkconsole.remote.lines import lines_of
from sparkconsole.remote.node_program import boot_argv, boot_input
from sparkconsole.remote.shell import Shell, end_pipe

LIMIT_S = 8.0
"""After which an end on a node ends by itself, whatever became of us."""
_TOOLS = ("ib_write_bw", "iperf3")
_WHICH = (
    "PATH=$PATH:/usr/sbin:/sbin; for t in ib_write_bw iperf3; do command -v $t >/dev/null && echo $t; done; :"
)


async def tools(shell: Shell) -> frozenset[str]:
    """The meters that the node has."""
    done = await shell.run(("sh", "-c", _WHICH, "meters"), timeout=15)
    return frozenset(done.checked().text.split()) & frozenset(_TOOLS)


def tool_for(way: RailWay, both: frozenset[str]) -> str:
    """RDMA where both ends have it and the tool, else a TCP tool, else our own."""
    if "ib_write_bw" in both and way.rail.device and way.far.device:
        return "ib_write_bw"
    return "iperf3" if "iperf3" in both else "tcp"


def ends(way: RailWay, tool: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the receiver and the sender are asked to do; PORT in a command is the receiver's choice."""
    here, there, seconds = way.rail.address, way.far.address, f"{SECONDS:g}"
    if tool == "ib_write_bw":
        return (
            {"address": there, "argv": _ib_write_bw(way.far)},
            {"address": here, "argv": [*_ib_write_bw(way.rail), there]},
        )
    if tool == "iperf3":
        client = ["iperf3", "-J", "-c", there, "-B", here, "-p", "PORT", "-t", seconds, "-P", "4"]
        server = ["iperf3", "-s", "-1", "-B", there, "-p", "PORT"]
        return {"address": there, "argv": server}, {"address": here, "argv": client}
    return {"address": there}, {"address": here, "peer": there, "seconds": SECONDS, "most": MOST_BYTES}


def _ib_write_bw(end: Rail) -> list[str]:
    index = ["-x", str(end.gid_index)] if end.gid_index is not None else []
    words = ["-d", end.device, "-i", str(end.port), *index, "-p", "PORT"]
    return ["ib_write_bw", *words, "-F", "--report_gbits", "-D", f"{SECONDS:g}"]


def shown(request: Mapping[str, Any]) -> tuple[str, ...]:
    """An end as a person would type it."""
    if "argv" in request:
        return tuple(request["argv"])
    what = "send" if "peer" in request else "receive"
    return ("python3", "gate-meter", what, *(str(request[k]) for k in ("address", "peer") if k in request))


async def measured(sender: Shell, receiver: Shell, way: RailWay, tool: str) -> float:
    """Gb/s from one node to the other over that way. Nothing runs on either afterwards.

    Unreachable, TimedOut, or SparkError with what the tool said when there is no number.
    """
    server, client = ends(way, tool)
    async with _started(receiver, server) as far:
        answer = await far.next_answer()
        port = answer.get("port")
        if not isinstance(port, int):
            raise SparkError(_trouble(answer) or "it did not begin to listen", node=receiver.node)
        async with _started(sender, {**client, "port": port}) as near:
            data = await near.next_answer()
            if "error" in data:
                raise SparkError(_trouble(data), node=sender.node)
            if tool == "tcp":
                data = await far.next_answer()
    return _gbit(data, tool, way)


def _gbit(data: Mapping[str, Any], tool: str, way: RailWay) -> float:
    output = str(data.get("output", ""))
    match tool:
        case "ib_write_bw":
            value = parse_ib_write_bw(output)
        case "iperf3":
            value = parse_iperf3(output)
        case _:
            gbit = data.get("gbit")
            value = float(gbit) if isinstance(gbit, int | float) and gbit > 0 else None
    if value is None:
        raise SparkError(_trouble(data) or "it measured nothing", node=way.node)
    return value


def _trouble(data: Mapping[str, Any]) -> str:
    return str(data.get("error") or "")[:200] or trouble_of(str(data.get("output", "")))


@dataclass(slots=True)
class _RunningEnd:
    """One running end."""

    node: str
    lines: AsyncIterator[str]

    async def next_answer(self) -> dict[str, Any]:
        """Its next line; an empty one when it ended instead. TimedOut past its own limit."""
        try:
            async with asyncio.timeout(LIMIT_S + 2):
                return json_object(await anext(self.lines, "")) or {}
        except TimeoutError as error:
            raise TimedOut(f"no rate within {LIMIT_S:g} s", node=self.node) from error


@contextlib.asynccontextmanager
async def _started(shell: Shell, request: Mapping[str, Any]) -> AsyncIterator[_RunningEnd]:
    pipe = await shell.pipe(boot_argv("gate-meter", f"{LIMIT_S:g}", json.dumps(request)))
    try:
        await pipe.write(boot_input("fabric", "meter_program.py"))
        yield _RunningEnd(shell.node, lines_of(pipe))
    finally:
        await end_pipe(pipe, 2)
