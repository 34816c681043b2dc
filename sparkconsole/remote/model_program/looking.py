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

from sparkconsole.remote.model_program.hashes import GIT, hash_of, named_hash

SHARD = re.compile(r"(.*-)(\d+)(-of-)(\d+)(\.(?:safetensors|bin|gguf|pth?))")
WEIGHTS = (".safetensors", ".bin", ".gguf", ".pt", ".pth")
MOST_SHARDS = 10000


def cache_folder() -> str:
    """The login's folder for what comes from the hub, as HF_HOME says."""
    return os.environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")


def hub_folder() -> str:
    """Where the models are in it, unless HF_HUB_CACHE says otherwise."""
    return os.environ.get("HF_HUB_CACHE") or os.path.join(cache_folder(), "hub")


def place(model: str) -> tuple[str, str]:
    """The root that paths are relative to, and the model's folder under it (`.`: the root itself)."""
    path = re.sub(r"^/root/\.cache/huggingface/hub(?=/)", hub_folder(), model)
    path = re.sub(r"^/root/\.cache/huggingface(?=/)", cache_folder(), path)
    path = re.sub(r"^/root(?=/\.cache/)", "~", path)
    if path.startswith(("/", "~")):
        return "/" + os.path.normpath(os.path.expanduser(path)).strip("/"), "."
    return hub_folder(), "models--" + model.replace("/", "--")


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


def walk(root: str, folder: str, above: tuple[str, ...] = ()) -> list[str]:
    """Every file and link below, by its path from the root, and what a linked folder elsewhere has."""
    found, above = [], (*above, os.path.realpath(os.path.join(root, folder)))
    for where, folders, names in os.walk(os.path.join(root, folder)):
        folders[:] = [n for n in folders if n not in (".locks", ".git", ".no_exist")]
        found += [os.path.relpath(os.path.join(where, n), root) for n in names]
        for linked in (os.path.join(where, n) for n in folders if os.path.islink(os.path.join(where, n))):
            path, real = os.path.relpath(linked, root), os.path.realpath(linked)
            if is_below(os.path.realpath(root), real):
                found.append(path)
            elif real not in above:
                found += walk(root, path, above)
    return sorted(found)


def is_below(root: str, path: str) -> bool:
    """It is the root or in it."""
    return path == root or path.startswith(root.rstrip("/") + "/")


def follow(root: str, path: str, links: dict[str, str], files: dict[str, int]) -> str:
    """Takes down a path, the links that it goes through, and the file at the end; what is wrong with it."""
    for _ in range(10):
        full = os.path.join(root, path)
        linked = os.path.islink(full)
        target = os.path.normpath(os.path.join(os.path.dirname(full), os.readlink(full))) if linked else full
        if not linked or not is_below(root, target):
            if os.path.isfile(full):
                files[path] = os.stat(full).st_size
                return ""
            return "" if not linked and os.path.isdir(full) else "links to nothing"
        links[path] = os.path.relpath(target, os.path.dirname(full))
        path = os.path.relpath(target, root)
    return "links in a circle"


def missing_of(folder: str, names: list[str]) -> list[str]:
    """Weight files that are called for and that are not there."""
    groups = [[n for n in names if os.path.dirname(n) == g] for g in {os.path.dirname(n) for n in names}]
    called = {n for group in groups for n in called_for(folder, group)}
    return sorted(n for n in called if not os.path.exists(os.path.join(folder, n)))


def called_for(folder: str, names: list[str]) -> set[str]:
    """By the index of one folder, else by the numbers of its shards. Safetensors count, if any."""
    names = [n for n in names if n.endswith((".safetensors", ".safetensors.index.json"))] or names
    indices = [n for n in names if n.endswith(".index.json")]
    first = [n for n in indices if os.path.basename(n) == "model.safetensors.index.json"]
    indexed = [(os.path.dirname(n), weights_in(os.path.join(folder, n))) for n in first or indices]
    named = {os.path.join(below, w) for below, weights in indexed for w in weights}
    shards = {n: found for n in names if (found := SHARD.fullmatch(n)) and int(found[4]) < MOST_SHARDS}
    return named or {n for found in shards.values() for n in siblings(found, set(shards))}


def weights_in(index: str) -> set[str]:
    """The files that it names."""
    try:
        with open(index, encoding="utf-8") as file:
            return set(json.load(file)["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return set()


def siblings(found: Any, there: set[str]) -> set[str]:
    """All shards of a set that one of them belongs to."""
    before, number, of, count, after = found.groups()

    def name(n: int) -> str:
        return f"{before}{n:0{len(number)}}{of}{count}{after}"

    first = 0 if name(0) in there else 1
    return {name(n) for n in range(first, first + int(count))}


def lacks_of(names: list[str], hub: bool) -> str:
    """What no model can be without; a repository of the hub may be no model (a tokenizer, say)."""
    if any(n.endswith(WEIGHTS) for n in names) or (hub and "config.json" not in names):
        return ""
    return "there are no weights in it"


def room(root: str) -> dict[str, Any]:
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


def look(model: str, revision: str, hashing: str) -> dict[str, Any]:
    """Everything there is of a model, and what one revision of it consists of. `hash` reads the revision's
    files, `all` those beside them too."""
    root, folder = place(model)
    found: dict[str, Any] = {"root": root, "home": os.path.expanduser("~"), **room(root)}
    if os.path.isdir(os.path.join(root, folder)):
        found.update(closed(root, folder))
        found.update(contents(root, folder, revision))
        if hashing in ("hash", "all"):
            beside = [p for p in found["beside"] if not p.startswith("blobs/")] if hashing == "all" else []
            found.update(hashes=hashes(root, sorted({*found["files"], *beside})), read=hashing == "all")
    elif folder != ".":
        found["beside"] = {p: n for p in pool(root) if (n := size_of(root, p)) is not None}
    return found


def closed(root: str, folder: str) -> dict[str, Any]:
    """The first folder that nothing can be put into, or file under way that cannot go on."""
    for where, _, names in os.walk(os.path.join(root, folder)):
        shut = [] if os.access(where, os.W_OK | os.X_OK) else [where]
        halves = [os.path.join(where, n) for n in names if n.endswith(".incomplete")]
        shut += [p for p in halves if not os.access(p, os.W_OK)]
        if shut:
            return {"writable": False, "there": shut[0], "owner": owner(shut[0])}
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
    there = {p: n for p in [*every, *(pool(root) if hub else [])] if (n := size_of(root, p)) is not None}
    names = [os.path.relpath(p, snapshot) for p in own]
    return {
        "revision": commit,
        "refs": refs(root, [p for p in every if hub and p.startswith(folder + "/refs/")], commit),
        "files": files,
        "links": links,
        "dangling": wrong,
        "missing": missing_of(os.path.join(root, snapshot), names),
        "lacks": lacks_of(names, hub) if own else "",
        "partial": {p: n for p, n in there.items() if p.endswith(".incomplete")},
        "beside": {p: n for p, n in {**there, **files}.items() if not p.endswith(".incomplete")},
        "tied": {
            p: os.readlink(os.path.join(root, p)) for p in every if os.path.islink(os.path.join(root, p))
        },
        "unreadable": [p for p in files if not os.access(os.path.join(root, p), os.R_OK)],
    }


def pool(root: str) -> list[str]:
    """Blobs that all models share, where the cache is laid out so."""
    with contextlib.suppress(OSError):
        return [os.path.join("blobs", n) for n in os.listdir(os.path.join(root, "blobs"))]
    return []


def size_of(root: str, path: str) -> int | None:
    """Of the file that it is or leads to; None: there is none."""
    with contextlib.suppress(OSError):
        found = os.stat(os.path.join(root, path))
        return found.st_size if stat.S_ISREG(found.st_mode) else None
    return None


def refs(root: str, paths: list[str], commit: str) -> dict[str, str]:
    """The names of the revision."""
    found = {}
    for path in paths:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found[path] = file.read().strip()
    return {path: text for path, text in found.items() if text == commit}


def hashes(root: str, paths: list[str]) -> dict[str, str]:
    """Of every file, several at once, each read once whatever its names; empty for an unreadable one."""

    def key(path: str) -> tuple[str, str]:
        kind = os.path.basename(path) if len(named_hash(path)) == GIT else ""
        return os.path.realpath(os.path.join(root, path)), kind

    def one(path: str) -> str:
        try:
            return hash_of(os.path.join(root, path))
        except OSError:
            return ""

    reads = {key(path): path for path in paths}
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(reads, pool.map(one, reads.values())))  # noqa: B905 - Python 3.8
    return {path: found[key(path)] for path in paths}
