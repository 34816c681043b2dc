"""Names that this console has seen, for the `:` line: nodes, images, models, runs. Nobody is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from sparkconsole.fleet.store import Store
from sparkconsole.model.work.job import Run
from sparkconsole.tui.line.complete import Here
from sparkconsole.verbs.grammar.session import Session
from sparkconsole.verbs.help.complete import images_in, models_in

NEWEST = 50
"""Runs of the journal that are looked at each time the line opens."""


def kept_runs(session: Session | None) -> tuple[Run, ...]:
    """The newest runs of the journal; none before there is one."""
    return tuple(islice(session.journal.newest(), NEWEST)) if session is not None else ()


def names_here(store: Store, session: Session | None, models: Sequence[str], kept: Iterable[Run]) -> Here:
    """`models`: those that were seen in the nodes' caches."""
    runs = tuple(kept)
    spoken = [run.words for run in runs]
    cluster = (session.cluster.image,) if session is not None else ()
    there = (image.tag for node in store.nodes.values() for image in node.images or () if image.tag)
    served = (store.server.model,) if store.server.model else ()
    return Here(
        nodes=tuple(store.nodes),
        images=tuple(dict.fromkeys((*cluster, *there, *images_in(spoken)))),
        models=tuple(dict.fromkeys((*models, *served, *models_in(spoken)))),
        runs=tuple(run.id for run in runs),
    )
