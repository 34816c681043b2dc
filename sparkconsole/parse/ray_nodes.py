"""`GET /api/v0/nodes` of Ray's dashboard becomes members; what it does not say stays unsaid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.model.ray import RayMember


def parse_nodes(payload: Any) -> tuple[RayMember, ...]:
    """Every member Ray lists, dead ones too; SparkError when the answer is not of that shape."""
    if not isinstance(payload, Mapping) or payload.get("result") is False:
        said = payload.get("msg") if isinstance(payload, Mapping) else payload
        raise SparkError(f"Ray could not list its nodes: {str(said)[:200]}")
    try:
        rows = payload["data"]["result"]["result"]
        return tuple(_member(row) for row in rows)
    except (KeyError, TypeError) as error:
        raise SparkError(f"Ray's list of nodes has a shape that is not known: {error!r}") from error


def _member(row: Mapping[str, Any]) -> RayMember:
    resources = row.get("resources_total") or {}
    return RayMember(
        id=str(row["node_id"]),
        address=str(row["node_ip"]),
        head=bool(row.get("is_head_node")) or "node:__internal_head__" in resources,
        alive=row.get("state") == "ALIVE",
        gpus=float(resources.get("GPU", 0.0)),
        cpus=float(resources.get("CPU", 0.0)),
        message=str(row.get("state_message") or ""),
    )
