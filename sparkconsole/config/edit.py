"""Edits cluster.toml and keeps what the person wrote around it: comments, order, spelling.

Nothing is written unless the file, read again, would say exactly what was meant.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkconsole.config.inventory import Inventory, parse
from sparkconsole.config.locked import locked
from sparkconsole.config.paths import write_private
from sparkconsole.config.reading import read_text
from sparkconsole.errors import SparkError, WrongConfig, WrongUsage
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.text.alike import suggestion

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


def with_node(path: Path, cluster: str, node: Node, *, head: bool = False, planned: str | None = None) -> str:
    """The file's new text, with `node` last in (or as head of) `cluster`, which is made when missing.

    The first cluster of a file becomes its default. `planned`: what the file will say by then.
    """
    text, before, old = _read(path, cluster, planned)
    for what in ("name", "address"):
        if any(getattr(n, what) == getattr(node, what) for n in old.nodes):
            hint = f"sparkconsole node list shows it; to change it: node remove, or edit {path}"
            taken = f"{cluster} has a node with the {what} {getattr(node, what)!r} already"
            raise WrongUsage(taken, hint=hint)
    nodes = (node, *old.nodes) if head else (*old.nodes, node)
    document, table = _document(text, cluster)
    _insert(table, node, at=0 if head else len(old.nodes))
    return _checked(document, path, _changed(before, old, nodes))


def without_node(path: Path, cluster: str, name: str, *, planned: str | None = None) -> str:
    """The file's new text, without that node; WrongUsage with the nearest name when it is not there."""
    text, before, old = _read(path, cluster, planned)
    names = [n.name for n in old.nodes]
    if name not in names:
        hint = suggestion(name, names, f"its nodes: {', '.join(names) or 'none'}")
        raise WrongUsage(f"{cluster} has no node {name!r}", hint=hint)
    document, table = _document(text, cluster)
    del table["nodes"][names.index(name)]
    if len(names) == 1:
        del table["nodes"]
        _keep_named(document, cluster)
    rest = tuple(n for n in old.nodes if n.name != name)
    # Before the last table stood an empty line, which is of nobody now.
    return _checked(document, path, _changed(before, old, rest)).rstrip("\n") + "\n"


def _read(path: Path, cluster: str, planned: str | None) -> tuple[str, Inventory, Cluster]:
    text = read_text(path) if planned is None else planned
    before = parse(text, path)
    return text, before, before.clusters.get(cluster, Cluster(name=cluster))


_ROOM = "make room on its disk; the file is as it was"
_TO_WRITE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: "mount its disk writable, or name another file with --config",
    errno.EBUSY: "it is mounted by itself: mount its folder instead, or edit it by hand",
    errno.EFBIG: "this shell limits the size of files: ulimit -f unlimited",
}
"""What to do, by why the disk refuses."""


def change(path: Path, changed: Callable[[str], str]) -> str:
    """Reads, changes and writes the inventory while no other console does; its new text.

    WrongConfig, and the old file stays, when the new text is no valid inventory or cannot be written;
    SparkError when others are at it.
    """
    try:
        with locked(path):
            text = changed(read_text(path))
            parse(text, path)
            write_private(path, text)
            if read_text(path) != text:
                hint = "something else writes it: look at it, then do it again"
                raise SparkError(f"{path} is not what was written", hint=hint)
        return text
    except TimeoutError as error:
        hint = "wait for it or end it, then do it again"
        raise SparkError(f"{path} cannot be written: {error.strerror}", hint=hint) from error
    except OSError as error:
        hint = _TO_WRITE.get(error.errno or 0, "let your login write it, or name another file with --config")
        raise WrongConfig(f"{path} cannot be written: {error.strerror}", hint=hint) from error


def _document(text: str, cluster: str) -> tuple[TOMLDocument, Any]:
    """The file, and in it the cluster's table, which is made when missing."""
    import tomlkit

    document = tomlkit.parse(text if not text or text.endswith("\n") else f"{text}\n")
    if "clusters" not in document:
        document.setdefault("default", cluster)
        document["clusters"] = tomlkit.table(is_super_table=True)
    clusters: Any = document["clusters"]
    if cluster not in clusters:
        clusters[cluster] = tomlkit.table()
    return document, clusters[cluster]


def _keep_named(document: TOMLDocument, cluster: str) -> None:
    """A cluster that only its nodes' headings named gets one of its own: the file may have it as default."""
    import tomlkit

    if cluster not in tomlkit.parse(document.as_string()).get("clusters", {}):
        clusters: Any = document["clusters"]
        clusters[cluster] = tomlkit.table()


def _insert(table: Any, node: Node, at: int) -> None:
    """Adds the node in the way the file is written: a `[[…nodes]]` table, or one more inline table."""
    import tomlkit
    from tomlkit.items import AoT

    if not table.get("nodes"):
        table["nodes"] = tomlkit.aot()
    inline = not isinstance(table["nodes"], AoT)
    entry = tomlkit.inline_table() if inline else tomlkit.table()
    for key, value in node.model_dump(exclude_defaults=True, mode="json").items():
        entry[key] = value
    if not inline and at > 0:
        entry.trivia.indent = "\n"
    elif not inline and len(table["nodes"]):
        entry.add(tomlkit.nl())
    table["nodes"].insert(at, entry)


def _changed(before: Inventory, old: Cluster, nodes: tuple[Node, ...]) -> Inventory:
    clusters = {**before.clusters, old.name: old.model_copy(update={"nodes": nodes})}
    default = before.default if before.clusters else before.default or old.name
    return before.model_copy(update={"clusters": clusters, "default": default})


def _checked(document: TOMLDocument, path: Path, intended: Inventory) -> str:
    """The document's text, read again and compared with what it should say."""
    text = document.as_string()
    if parse(text, path) != intended:
        raise WrongConfig(f"{path} is written in a way that cannot be edited safely", hint="edit it by hand")
    return text
