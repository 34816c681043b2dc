"""Lists of Ray's dashboard (`GET /api/v0/…`) become values; what it does not say stays unsaid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.model.ray import RayMember


def parse_nodes(payload: Any) -> tuple[RayMember, ...]:
    """Every member Ray lists, dead ones too; SparkError when the answer is not of that shape."""
    try:
        return tuple(_member(row) for row in _rows(payload, "nodes"))
    except (KeyError, TypeError) as error:
        raise SparkError(f"Ray's list of nodes has a shape that is not known: {error!r}") from error


def parse_groups(payload: Any) -> int:
    """Of `GET /api/v0/placement_groups` those that were given what they asked for, and keep it."""
    try:
        return sum(row.get("state") == "CREATED" for row in _rows(payload, "placement groups"))
    except (KeyError, TypeError, AttributeError) as error:
        text = "Ray's list of placement groups has a shape that is not known"
        raise SparkError(f"{text}: {error!r}") from error


def _rows(payload: Any, what: str) -> Any:
    """What the state API lists."""
    if not isinstance(payload, Mapping) or payload.get("result") is False:
        rows = payload.get("msg") if isinstance(payload, Mapping) else payload
        raise SparkError(f"Ray could not list its {what}: {str(rows)[:200]}")
    return payload["data"]["result"]["result"]


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
