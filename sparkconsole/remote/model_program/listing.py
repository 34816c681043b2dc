"""Every model of the login's cache, a line each: how much of it is there, and what it lacks."""

from __future__ import annotations

import os
from typing import Any

from sparkconsole.remote.model_program.looking import WEIGHTS, contents, hub_folder

PREFIX = "models--"


def folders(hub: str) -> list[str]:
    """The models there; nothing where there is no cache, OSError where nobody may look."""
    if not os.path.lexists(hub):
        return []
    return sorted(n for n in os.listdir(hub) if n.startswith(PREFIX) and os.path.isdir(os.path.join(hub, n)))


def models() -> list[dict[str, Any]]:
    """What is found of each; one that may not be looked into says so."""
    root = hub_folder()
    return [{"model": folder[len(PREFIX) :], **summary(root, folder)} for folder in folders(root)]


def summary(hub: str, folder: str) -> dict[str, Any]:
    """One model in short: the revision that `main` stands for, else the newest, as a copy would take it."""
    try:
        found = contents(hub, folder, "")
    except OSError as error:
        return {"error": "%s: %s" % (error.filename, error.strerror)}  # noqa: UP031
    snapshot = os.path.join(folder, "snapshots", found["revision"])

    def names(paths: Any) -> list[str]:
        return sorted(os.path.relpath(p, snapshot) for p in paths if p.startswith(snapshot + "/"))

    dangling = names(found["dangling"])
    whole = [n for n in names({**found["files"], **found["links"]}) if n not in dangling]
    return {
        "snapshot": found["revision"],
        "dangling": dangling,
        "missing": found["missing"],
        "unfinished": len([p for p in found["partial"] if p.startswith(folder + "/")]),
        "config": any(n in ("config.json", "params.json") for n in whole),
        "weights": any(n.endswith(WEIGHTS) for n in whole),
        "size_bytes": space(hub, folder, {**found["beside"], **found["partial"]}),
    }


def space(hub: str, folder: str, sizes: dict[str, int]) -> int:
    """All that lies or is linked in the model's folder, each file once whatever its names."""
    own = {os.path.realpath(os.path.join(hub, p)): n for p, n in sizes.items() if p.startswith(folder + "/")}
    return sum(own.values())
