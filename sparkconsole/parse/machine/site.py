"""The answer of the launch-site script becomes a `Site`; SparkError when docker could not be asked."""

from __future__ import annotations

from sparkconsole.errors import OddEngine, SilentEngine, SparkError
from sparkconsole.model.docker import Container, settings
from sparkconsole.model.docker_host import ENGINE_S
from sparkconsole.model.launch.site import Site
from sparkconsole.parse.image.docker import why_refused
from sparkconsole.parse.machine.facts import parse_listening
from sparkconsole.parse.values import json_value, pairs, plain_image, plain_path, whole

_NOT_THERE = ("No such container", "No such object")
_CLIENT_LOST = "json: cannot unmarshal"
"""How docker's own client begins where the engine says what it cannot take for an answer."""


def parse_site(text: str, node: str, container: str) -> Site:
    """Lines `home`, `available`, `listen HEX`, `pid N`, then `docker STATUS` and all that docker said."""
    head, _, docker = text.partition("\ndocker ")
    rows = pairs(head)
    first = dict(reversed(rows))
    pids = frozenset(n for key, p in rows if key == "pid" and (n := whole(p)) is not None)
    return Site(
        node=node,
        home=plain_path(first.get("home", "")),
        available_bytes=whole(first.get("available", "")) or 0,
        listening=parse_listening(" ".join(port for key, port in rows if key == "listen")),
        found=_found(docker, node, container, pids),
    )


def _found(docker: str, node: str, container: str, pids: frozenset[int]) -> Container | None:
    status, _, text = docker.partition("\n")
    if status.strip() in ("124", "137"):
        raise SilentEngine(node, ENGINE_S)
    if status.strip() != "0":
        if any(words in text for words in _NOT_THERE):
            return None
        if text.lstrip("[] \n").startswith(_CLIENT_LOST):
            raise _unreadable(node, container)
        why = why_refused(text) if text.strip() else None
        cause, hint = (why.cause, why.hint) if why else ("docker could not be asked", "is it installed?")
        raise SparkError(cause, hint=hint, node=node)
    try:
        return _container(text, container, pids)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _unreadable(node, container) from error


def _unreadable(node: str, container: str) -> OddEngine:
    hint = f"look at it there: docker inspect {container}"
    return OddEngine("what docker answered cannot be read", hint=hint, node=node)


def _container(text: str, container: str, pids: frozenset[int]) -> Container | None:
    """Docker also finds a container by the first digits of its id: only the exact name counts."""
    for entry in json_value(text[text.index("[") :]):
        if not entry["Name"].startswith("/"):
            raise ValueError("every container has a name")
        if entry["Name"] == f"/{container}":
            state, config = entry["State"], entry["Config"]
            runs = state.get("Running") and not state.get("Restarting")
            return Container(
                name=container,
                id=plain_image(str(entry.get("Id", ""))),
                state="running" if runs else str(state.get("Status", "exited")),
                exit_code=int(state.get("ExitCode", 0)),
                image=plain_image(str(config.get("Image", ""))),
                image_id=plain_image(str(entry.get("Image", ""))),
                labels=dict(config.get("Labels") or {}),
                oom_killed=bool(state.get("OOMKilled")),
                pids=pids,
                environment=settings(config.get("Env") or ()),
            )
    return None
