"""What Ray says: why a container whose first process is `ray start` ended, and the dashboard's lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from sparkconsole.errors import SparkError
from sparkconsole.model.launch.state import Why
from sparkconsole.model.ray import RayMember
from sparkconsole.parse.diagnose.explain import cause_of
from sparkconsole.parse.known import During

_T = TypeVar("_T")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m|\x1b?\[(?:\d{1,3}m)")
_MISMATCH = re.compile(
    r"Version mismatch: The cluster was started with:\s{1,80}Ray: (\S{1,80})\s{1,80}Python: "
    r"(\S{1,80}).{0,2000}?was started with:\s{1,80}Ray: (\S{1,80})\s{1,80}Python: (\S{1,80})",
    re.DOTALL,
)
_RAISED = re.compile(r"^(?:[\w.]+\.)?((?:\w+(?:Error|Exception|Exit)|Exception): .{1,300})", re.MULTILINE)
"""The end of a Python traceback."""
_FOLLOWS = ("ray-head-not-reached",)
"""Causes that lie on another node."""


def why_ended(lines: Iterable[str], exit_code: int | None) -> Why:
    """The cause in the container's last lines; what the exit status says where they name none."""
    text = _COLOUR.sub("", "\n".join(lines))
    mismatch = _MISMATCH.search(text)
    if mismatch:
        return _mismatch(*mismatch.groups())
    if known := cause_of(text, During.LAUNCH):
        return Why(known.text, known.remedy, known.id in _FOLLOWS)
    raised = _RAISED.findall(text)
    if raised:
        return Why(raised[-1])
    return Why(f"the container {_ended(exit_code)}{_last(text)}")


def _mismatch(head_ray: str, head_python: str, ray: str, python: str) -> Why:
    cause = f"Ray {ray} with Python {python} cannot join Ray {head_ray} with Python {head_python} of the head"
    return Why(cause, "bring the same image to every node: sparkconsole image copy")


def _ended(code: int | None) -> str:
    meanings = {
        None: "is gone",
        0: "ended by itself",
        137: "was killed (137: out of memory, or by hand)",
        143: "was told to end (143)",
    }
    return meanings.get(code, f"ended with status {code}")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f": {lines[-1][:200]}" if lines else ""


def parse_nodes(payload: Any) -> tuple[RayMember, ...]:
    """Every member Ray lists, dead ones too; SparkError when the answer is not of that shape."""
    return tuple(_listed(payload, "nodes", _member))


def parse_groups(payload: Any) -> int:
    """Of `GET /api/v0/placement_groups` those that were given what they asked for, and keep it."""
    return sum(_listed(payload, "placement groups", lambda row: row.get("state") == "CREATED"))


def _listed(payload: Any, what: str, read: Callable[[Mapping[str, Any]], _T]) -> list[_T]:
    """What the state API lists."""
    if not isinstance(payload, Mapping) or payload.get("result") is False:
        answer = payload.get("msg") if isinstance(payload, Mapping) else payload
        raise SparkError(f"Ray could not list its {what}: {str(answer)[:200]}")
    try:
        return [read(row) for row in payload["data"]["result"]["result"]]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise SparkError(f"Ray's list of {what} has a shape that is not known: {error!r}") from error


def _member(row: Mapping[str, Any]) -> RayMember:
    resources = row.get("resources_total") or {}
    return RayMember(
        id=str(row["node_id"]),
        address=str(row["node_ip"]),
        head=bool(row.get("is_head_node")) or "node:__internal_head__" in resources,
        alive=row.get("state") == "ALIVE",
        gpus=float(resources.get("GPU", 0.0)),
        message=str(row.get("state_message") or ""),
    )
