"""Opens what verbs work with: inventory, cluster, connections on demand, journal. Closing stops nothing."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from sparkconsole.config import paths
from sparkconsole.config.inventory import Inventory, choose, load
from sparkconsole.fleet.clock import Clock, RealClock
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.journal import Journal
from sparkconsole.fleet.keeper import Connect
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.remote.shell import Shell
from sparkconsole.verbs.session import Options, Session


@asynccontextmanager
async def open_session(options: Options) -> AsyncIterator[Session]:
    """One session for a whole program run. No machine is talked to until a verb asks one."""
    with ExitStack() as stack:
        inventory, cluster, connect, clock = _demo(options) if options.demo > 0 else _real(options)
        folder = _demo_state(stack) if options.demo > 0 else paths.state_folder()
        journal = Journal(folder, clock)
        async with Fleet(cluster, connect, clock) as fleet:
            yield Session(options, inventory, cluster, fleet, journal)


def inventory_path(options: Options) -> Path:
    """The cluster.toml that this session reads and edits: `--config`, else the usual one."""
    return options.config or paths.cluster_file()


def _real(options: Options) -> tuple[Inventory, Cluster, Connect, Clock]:
    inventory = load(inventory_path(options))
    cluster = choose(inventory, cluster=options.cluster, nodes=options.nodes, user=options.user)
    return inventory, cluster, _connect, RealClock()


def _demo(options: Options) -> tuple[Inventory, Cluster, Connect, Clock]:
    from sparkconsole.demo.cluster import pretend

    cluster, connect, clock = pretend(options.demo)
    inventory = Inventory(default=cluster.name, clusters={cluster.name: cluster})
    return inventory, choose(inventory, nodes=options.nodes), connect, clock


def _demo_state(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sparkconsole-demo-")))


async def _connect(node: Node) -> Shell:
    from sparkconsole.remote.connect import connect

    return await connect(node)
