"""cluster.toml: which clusters there are and who belongs to each. A missing file is an empty inventory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from sparkconsole.config.reading import read_text, read_toml, validated, wrong_at
from sparkconsole.config.toml_lines import Place
from sparkconsole.errors import WrongConfig, WrongUsage
from sparkconsole.model.cluster import RESERVED_NAMES, Cluster, Node, login_words
from sparkconsole.model.text.alike import suggestion

FIRST_CLUSTER = "default"
"""The name of the cluster that the first `node add` makes when none was said."""


class Inventory(BaseModel):
    """The whole of cluster.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    default: str | None = None
    """The cluster meant when none is named; with one cluster only, that one."""
    clusters: dict[str, Cluster] = {}


def load(path: Path, *, needed: bool = False) -> Inventory:
    """The inventory of that file; WrongConfig says file, line and key of what cannot be.

    `needed`: somebody named the file, so that it has to be there.
    """
    if needed and not (path.exists() or path.is_symlink()):
        hint = f"name one that is there, or begin it: sparkconsole --config {path} node add NAME ADDRESS"
        raise WrongConfig(f"there is no file {path}", hint=hint)
    return parse(read_text(path), path)


def parse(text: str, path: Path) -> Inventory:
    """The inventory that `text` says; `path` is only for the errors."""
    data = read_toml(text, path)
    _refuse_doubles(data, text, path)
    return validated(Inventory, _named(data, text, path), text, path)


def choose(
    inventory: Inventory, *, cluster: str | None = None, nodes: Sequence[str] = (), user: str | None = None
) -> Cluster:
    """The cluster that the global options mean: `--cluster`, else the default; of it `--nodes`, head first.

    A word of `--nodes` that no file knows is taken as an address. Without any file the cluster may be empty.
    """
    chosen = _cluster(inventory, cluster, ad_hoc=bool(nodes))
    if nodes:
        chosen = chosen.model_copy(update={"nodes": _picked(inventory, chosen, _words(nodes))})
    if user is not None:
        everyone = tuple(n.model_copy(update={"user": user}) for n in chosen.nodes)
        chosen = chosen.model_copy(update={"user": user, "nodes": everyone})
    return chosen


def _named(data: dict[str, Any], text: str, path: Path) -> dict[str, Any]:
    """Gives each cluster the name of its table, and checks that the default is one of them."""
    clusters = data.get("clusters", {})
    if not isinstance(clusters, dict):
        return data
    default = data.get("default")
    if isinstance(default, str) and default not in clusters:
        hint = suggestion(default, clusters, f"clusters: {', '.join(clusters) or 'none'}")
        raise wrong_at(path, text, ("default",), f"names no cluster: {default!r}", hint)
    named = {}
    for key, table in clusters.items():
        if isinstance(table, dict) and table.get("name", key) != key:
            place: Place = ("clusters", key, "name")
            raise wrong_at(path, text, place, f"must be {key!r}, like its table", "leave the name out")
        named[key] = {**table, "name": key} if isinstance(table, dict) else table
    return {**data, "clusters": named}


def _refuse_doubles(data: dict[str, Any], text: str, path: Path) -> None:
    """A node listed twice is told at its second place."""
    clusters = data.get("clusters", {})
    for key, table in clusters.items() if isinstance(clusters, dict) else ():
        seen: dict[tuple[str, str], int] = {}
        nodes = table.get("nodes", []) if isinstance(table, dict) else []
        for index, node in enumerate(nodes if isinstance(nodes, list) else []):
            own = _own_words(node) if isinstance(node, dict) else {}
            for what, value in own.items():
                if (what, value) in seen:
                    place: Place = ("clusters", key, "nodes", index, what)
                    cause = f"is {value!r}, as that of node {seen[what, value] + 1}: a node is listed once"
                    raise wrong_at(path, text, place, cause, f"change the {what}, or remove one of the two")
                seen[what, value] = index


def _own_words(node: Mapping[str, Any]) -> dict[str, str]:
    """What no two nodes of a cluster may share; behind one address each has a port of its own."""
    own, address = {"name": node.get("name")}, node.get("address")
    if isinstance(address, str):
        _, address, behind = login_words(address)
        port = behind or node.get("port")
        own["address"] = f"{address}:{port}" if address and port else address
    return {what: value for what, value in own.items() if isinstance(value, str)}


def _cluster(inventory: Inventory, asked: str | None, *, ad_hoc: bool) -> Cluster:
    known = inventory.clusters
    if asked is not None:
        if asked not in known and known:
            hint = suggestion(asked, known, f"clusters: {', '.join(known)}")
            raise WrongUsage(f"no cluster is called {asked!r}", hint=hint)
        return known[asked] if known else _empty(asked)
    if inventory.default is not None:
        return known[inventory.default]
    if len(known) > 1 and not ad_hoc:
        hint = f'say --cluster {next(iter(known))}, or put `default = "…"` at the top of cluster.toml'
        raise WrongUsage(f"which cluster: {', '.join(known)}?", hint=hint)
    return next(iter(known.values())) if len(known) == 1 else _empty(FIRST_CLUSTER)


def _empty(name: str) -> Cluster:
    try:
        return Cluster(name=name)
    except ValidationError as error:
        hint = "letters, digits, '.', '_' and '-', beginning with a letter or digit"
        raise WrongUsage(f"{name!r} cannot be a cluster's name", hint=hint) from error


def _words(nodes: Sequence[str]) -> list[str]:
    """The words of `--nodes`, separated by commas or spaces; WrongUsage when there is none."""
    words = [word for text in nodes for word in re.split(r"[,\s]+", text) if word]
    if not words:
        raise WrongUsage("the list of nodes is empty", hint="--nodes HEAD,NODE,… : names or addresses")
    return words


def _picked(inventory: Inventory, cluster: Cluster, words: list[str]) -> tuple[Node, ...]:
    nodes: dict[str, Node] = {}
    for word in words:
        node = _lookup(inventory, cluster, word)
        if node.name in nodes or node.endpoint in {n.endpoint for n in nodes.values()}:
            raise WrongUsage(f"{word!r} is in the list of nodes twice", hint="each node once, head first")
        nodes[node.name] = node
    return tuple(nodes.values())


def _lookup(inventory: Inventory, cluster: Cluster, word: str) -> Node:
    """A node of the cluster; else the only node of that name in another cluster; else an address."""
    if (own := cluster.node(word)) is not None:
        return own
    others = [(c, n) for c in inventory.clusters.values() if (n := c.node(word)) is not None]
    if len(others) == 1:
        return others[0][0].effective(others[0][1])
    return ad_hoc_node(word)


def ad_hoc_node(word: str) -> Node:
    """A node that no file knows, from `[USER@]ADDRESS[:PORT]`, named by its address and port."""
    user, address, port = login_words(word)
    named = address if port is None else f"{address}-{port}"
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", named).strip("-._")
    try:
        return Node(name=name, address=address, user=user or None, port=port)
    except ValidationError as error:
        hint = "a node's name of cluster.toml, a host name, or an IP address"
        hint += f"; {name} means something else where a node may stand" if name in RESERVED_NAMES else ""
        raise WrongUsage(f"{word!r} names no node and cannot be an address", hint=hint) from error
