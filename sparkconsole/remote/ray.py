"""Ray through its dashboard's REST API on the head's loopback, over the one connection there is.

`/api/v0/nodes` is the truth about members: `/nodes?view=summary` still calls dead ones alive for a while,
and `ray status` never names an address.
"""

from __future__ import annotations

from sparkconsole.errors import SparkError
from sparkconsole.model.ray import RayMember
from sparkconsole.parse.serve.ray import parse_groups, parse_nodes
from sparkconsole.remote.foreseen_shell import now_on, then_on
from sparkconsole.remote.http import get_json
from sparkconsole.remote.shell import Shell

_GROUPS = "/api/v0/placement_groups?limit=10000"


async def members(shell: Shell, port: int = 8265) -> tuple[RayMember, ...]:
    """Every member the head lists, dead ones too; SparkError while Ray does not answer."""
    then = then_on(shell).members(port)
    if then is None:
        raise SparkError(f"nothing answers on 127.0.0.1:{port} then", node=shell.node)
    if not isinstance(then, bool):
        return then
    return parse_nodes(await get_json(now_on(shell), f"127.0.0.1:{port}", "/api/v0/nodes?limit=10000"))


async def placement_groups(shell: Shell, port: int = 8265) -> int:
    """How many placement groups hold resources right now; SparkError while Ray does not answer."""
    return parse_groups(await get_json(shell, f"127.0.0.1:{port}", _GROUPS))
