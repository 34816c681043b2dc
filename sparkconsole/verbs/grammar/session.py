"""What a verb works with: the cluster, its fleet, the journal, and what the person asked of all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sparkconsole.config.globals import Options
from sparkconsole.config.inventory import Inventory, choose
from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.foresight.effect import Effect
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import Job, Run
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan

if TYPE_CHECKING:
    from sparkconsole.demo.cluster import Pretend


@dataclass(slots=True)
class Session:
    """One per program run; every verb of a script shares it, and so its connections."""

    options: Options
    inventory: Inventory
    cluster: Cluster
    fleet: Fleet
    journal: Journal
    pretend: Pretend | None = None
    """The pretend cluster behind `--demo`; None for a real one."""
    remarks: tuple[str, ...] = ()
    """What has to be said when it was opened."""
    run: Run | None = field(default=None)
    """The journal's record of the verb under way; None while nothing changes."""
    marked: tuple[str, ...] = ()
    """The nodes where its mark lies; after its end those that could not be asked to take it away."""

    def own_run(self) -> Run:
        """The record of the verb under way, which changes something."""
        if self.run is None:
            raise SparkError("this action was carried out without a run in the journal")
        return self.run

    def record_jobs(self, jobs: Iterable[Job | None]) -> None:
        """Writes down what the verb under way starts; a part of it that needs no job is None."""
        self.run = self.journal.add_jobs(self.own_run(), [job for job in jobs if job is not None])

    def member(self, name: str | None) -> str:
        """The node of the cluster that is meant; the head where none was said."""
        return self.cluster.member(name).name if name is not None else self.fleet.head

    async def regroup(self, inventory: Inventory, otherwise: str | None) -> None:
        """From now on the cluster is as `inventory` has it; `otherwise`: the one to take where it is gone."""
        name = self.cluster.name if self.cluster.name in inventory.clusters else otherwise
        self.inventory = inventory
        self.cluster = choose(inventory, cluster=name, nodes=self.options.nodes, user=self.options.user)
        await self.fleet.regroup(self.cluster)


__all__ = ["Here", "Options", "PlannedAction", "Session"]

Here = Annotated[Session, Parameter(parse=False)]
"""The first parameter of every verb: given by the face, never by the person."""


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """A plan, and what carries it out. Nothing has happened yet."""

    plan: Plan
    execute: Callable[[Report], Awaitable[Answer]]
    effects: tuple[Effect, ...]
    """What will have changed once it is carried out: the next line of a script is planned on that."""
    words: tuple[str, ...] = ()
    """What the journal keeps as said, where that is not what was said (`runs again`)."""
