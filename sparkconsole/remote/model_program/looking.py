"""What a node has of a model: its files and links, what they lack, room and rights."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sparkconsole.remote.model_program.hashes import hash_of


def place(model: str) -> tuple[str, str]:
    """The root that paths are relative to, and the model's folder under it (`.`: the root itself)."""
    path = re.sub(r"^/root(?=/\.cache/)", "~", model)
    if path.startswith(("/", "~")):
        return os.path.expanduser(path).rstrip("/"), "."
    return os.path.expanduser("~/.cache/huggingface/hub"), "models--" + model.replace("/", "--")


def revision_of(folder: str, wanted: str) -> str:
    """The commit: the one asked for or its branch's; else `main`'s, else the newest that is there."""
    asked = wanted
    with contextlib.suppress(OSError), open(os.path.join(folder, "refs", wanted or "main")) as file:
        wanted = file.read().strip()
    snapshots = os.path.join(folder, "snapshots")
    if not os.path.isdir(snapshots):
        return ""
    if wanted and os.path.isdir(os.path.join(snapshots, wanted)):
        return wanted
    there = sorted(os.listdir(snapshots), key=lambda n: os.stat(os.path.join(snapshots, n)).st_mtime)
    return there[-1] if there and not asked else ""


def walk(root: str, folder: str) -> list[str]:
    """Every file and link below, by its path from the root."""
    found = []
    for where, folders, names in os.walk(os.path.join(root, folder)):
        folders[:] = [n for n in folders if n not in (".locks", ".git", ".no_exist")]
        linked = [n for n in folders if os.path.islink(os.path.join(where, n))]
        found += [os.path.relpath(os.path.join(where, n), root) for n in [*names, *linked]]
    return sorted(found)


def follow(root: str, path: str, links: dict[str, str], files: dict[str, int]) -> str:
    """Takes down a path, the links that it goes through, and the file at the end; what is wrong with it."""
    for _ in range(10):
        full = os.path.join(root, path)
        if not os.path.islink(full):
            if not os.path.isfile(full):
                return "" if os.path.isdir(full) else "links to nothing"
            files[path] = os.stat(full).st_size
            return ""
        target = os.path.normpath(os.path.join(os.path.dirname(full), os.readlink(full)))
        inside = os.path.relpath(target, root)
        if inside.startswith(".."):
            if os.path.isfile(full):
                files[path] = os.stat(full).st_size
                return ""
            return "links to nothing"
        links[path] = os.path.relpath(target, os.path.dirname(full))
        path = inside
    return "links in a circle"


def missing_of(folder: str) -> list[str]:
    """Weight files that the index names and that are not there."""
    try:
        with open(os.path.join(folder, "model.safetensors.index.json"), encoding="utf-8") as file:
            named = set(json.load(file)["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError):
        return []
    return sorted(n for n in named if not os.path.exists(os.path.join(folder, n)))


def standing(root: str) -> dict[str, Any]:
    """Room and rights where the files would go."""
    there = root
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    seen = os.statvfs(there)
    return {
        "free": seen.f_bavail * seen.f_frsize,
        "writable": os.access(there, os.W_OK | os.X_OK),
        "there": there,
        "owner": owner(there),
        "user": owner_name(os.geteuid()),
    }


def owner(path: str) -> str:
    """Whose it is."""
    return owner_name(os.stat(path).st_uid)


def owner_name(uid: int) -> str:
    """By name where it has one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def look(model: str, revision: str, hashing: bool) -> dict[str, Any]:
    """Everything there is of a model, and what one revision of it consists of."""
    root, folder = place(model)
    told: dict[str, Any] = {"root": root, "home": os.path.expanduser("~"), **standing(root)}
    if os.path.isdir(os.path.join(root, folder)):
        told.update(closed_folder(root, folder))
        told.update(contents(root, folder, revision))
        if hashing:
            told["hashes"] = hashes(root, list(told["files"]))
    return told


def closed_folder(root: str, folder: str) -> dict[str, Any]:
    """The first folder that nothing can be put into."""
    for where, _, _ in os.walk(os.path.join(root, folder)):
        if not os.access(where, os.W_OK | os.X_OK):
            return {"writable": False, "there": where, "owner": owner(where)}
    return {}


def contents(root: str, folder: str, revision: str) -> dict[str, Any]:
    """Files and links of the revision (a folder outside of the cache is one), and all that lie beside it."""
    every, hub = walk(root, folder), folder != "."
    commit = revision_of(os.path.join(root, folder), revision) if hub else ""
    snapshot = os.path.join(folder, "snapshots", commit) if hub else folder
    links: dict[str, str] = {}
    files: dict[str, int] = {}
    own = [p for p in every if (commit and p.startswith(snapshot + "/")) or not hub]
    own = [p for p in own if not p.endswith(".incomplete")]
    wrong = {p: why for p in own if (why := follow(root, p, links, files))}
    there = {p: os.lstat(os.path.join(root, p)).st_size for p in every if is_file(os.path.join(root, p))}
    return {
        "revision": commit,
        "refs": refs(root, [p for p in every if hub and p.startswith(folder + "/refs/")], commit),
        "files": files,
        "links": links,
        "dangling": wrong,
        "missing": missing_of(os.path.join(root, snapshot)) if commit or not hub else [],
        "partial": {p: n for p, n in there.items() if p.endswith(".incomplete")},
        "beside": {p: n for p, n in {**there, **files}.items() if not p.endswith(".incomplete")},
        "tied": {
            p: os.readlink(os.path.join(root, p)) for p in every if os.path.islink(os.path.join(root, p))
        },
        "unreadable": [p for p in files if not os.access(os.path.join(root, p), os.R_OK)],
    }


def refs(root: str, paths: list[str], commit: str) -> dict[str, str]:
    """The names of the revision."""
    found = {}
    for path in paths:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found[path] = file.read().strip()
    return {path: text for path, text in found.items() if text == commit}


def is_file(path: str) -> bool:
    """A file itself, not a link to one."""
    return stat.S_ISREG(os.lstat(path).st_mode)


def hashes(root: str, paths: list[str]) -> dict[str, str]:
    """Of every file, several at once; empty for one that cannot be read."""

    def one(path: str) -> str:
        try:
            return hash_of(os.path.join(root, path))
        except OSError:
            return ""

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(paths, pool.map(one, paths)))  # noqa: B905 - Python 3.8
