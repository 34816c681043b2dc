"""Opens what verbs work with: inventory, cluster, connections on demand, journal. Closing stops nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sparkconsole.clock import Clock, RealClock
from sparkconsole.config import paths
from sparkconsole.config.inventory import Inventory, choose, load
from sparkconsole.config.locked import OwnFolder
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.remote.shell import Shell
from sparkconsole.verbs.grammar.node_words import require_host
from sparkconsole.verbs.grammar.session import Options, Session


@asynccontextmanager
async def open_session(
    options: Options, *, time: Clock | None = None, beginning: bool = False
) -> AsyncIterator[Session]:
    """One session for a whole program run. No machine is talked to until a verb asks one.

    `time`: the pretend cluster's, where it is not to be as quick as for a script. `beginning`: something will
    write the inventory, so that the file of `--config` need not be there yet.
    """
    if options.demo > 0:
        async with _pretended(options, time) as session:
            yield session
        return
    inventory = load(inventory_path(options), needed=options.config is not None and not beginning)
    cluster = _chosen(options, inventory)
    journal = Journal(paths.state_folder(), RealClock())
    async with Fleet(cluster, _connect, RealClock()) as fleet:
        yield Session(options, inventory, cluster, fleet, journal)


@asynccontextmanager
async def _pretended(options: Options, time: Clock | None) -> AsyncIterator[Session]:
    """`--demo`: with a name it lasts under the state folder, without one it is gone at the end."""
    from sparkconsole.demo.clock import DemoClock
    from sparkconsole.demo.cluster import pretend

    async with AsyncExitStack() as stack:
        if options.demo_name:
            from sparkconsole.demo.saved_cluster import lasting

            clock = time if isinstance(time, DemoClock) else DemoClock()
            folder = demo_folder(options.demo_name)
            count = options.demo if options.demo_sized else None
            kept = await stack.enter_async_context(lasting(folder, count, clock))
            demo, remarks = kept.pretend, (kept.remark,) if kept.remark else ()
        else:
            folder = _demo_state(stack)
            demo, remarks = pretend(options.demo, clock=time), ()
        inventory = Inventory(default=demo.cluster.name, clusters={demo.cluster.name: demo.cluster})
        cluster, journal = _chosen(options, inventory), Journal(folder, demo.clock)
        fleet = await stack.enter_async_context(Fleet(cluster, demo.connect, demo.clock))
        yield Session(options, inventory, cluster, fleet, journal, demo, remarks)


def demo_folder(name: str) -> Path:
    """Where the pretend cluster of that name lasts."""
    return paths.state_folder() / "demo" / name


@asynccontextmanager
async def line_session(session: Session, given: Mapping[str, Any]) -> AsyncIterator[Session]:
    """`session` as the global options of one line make it; what the line changes of the cluster stays."""
    own = beside(session, given)
    try:
        yield own
    finally:
        await take_over(session, own)
        if own.fleet is not session.fleet:
            await own.fleet.__aexit__(None, None, None)


async def take_over(session: Session, own: Session) -> None:
    """What a line changed of the inventory holds for the session too, as its own options choose from it."""
    if own.fleet is session.fleet:
        session.cluster, session.inventory = own.cluster, own.inventory
    elif own.inventory is not session.inventory:
        await session.regroup(own.inventory, own.cluster.name)


def beside(session: Session, given: Mapping[str, Any]) -> Session:
    """A session for one line: its own options, and its own nodes where it names some.

    Its fleet is another one only then, and has to be closed by whoever asked for it.
    """
    options = replace(session.options, **given)
    own = replace(session, options=options, run=None)
    if {"nodes", "cluster", "user"} & set(given):
        chosen = _chosen(options, session.inventory)
        own.cluster, own.fleet = chosen, session.fleet.beside(chosen)
    return own


def _chosen(options: Options, inventory: Inventory) -> Cluster:
    chosen = choose(inventory, cluster=options.cluster, nodes=options.nodes, user=options.user)
    every = tuple(node for cluster in inventory.clusters.values() for node in cluster.nodes)
    for word in (w for text in options.nodes for w in text.split()):
        require_host(word, Cluster.model_construct(nodes=every), pretend=bool(options.demo))
    return chosen


def inventory_path(options: Options) -> Path:
    """The cluster.toml that this session reads and edits: `--config`, else the usual one."""
    return options.config or paths.cluster_file()


def _demo_state(stack: AsyncExitStack) -> Path:
    """A folder for as long as the demo runs; without room for one its journal is held in memory."""
    try:
        return Path(stack.enter_context(OwnFolder()))
    except OSError:
        return Path(os.devnull) / "sparkconsole-demo"


async def _connect(node: Node) -> Shell:
    from sparkconsole.remote.connect import connect

    return await connect(node)
