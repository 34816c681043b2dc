"""`model`: the models in the nodes' Hugging Face caches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparkconsole.errors import exit_code_of_look
from sparkconsole.fleet.fleet import answered, failed
from sparkconsole.model.checkpoint.cached import ModelPresence, presences
from sparkconsole.model.text.units import size
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here


@verb("model list")
async def list_models(session: Here) -> Answer:
    """Show which model is in which node's cache, and where it is missing or incomplete.

    Looks into the login's Hugging Face cache, which the containers share. Exit code 3 when a node could
    not be asked.
    """
    from sparkconsole.remote.checkpoint.files import cached_models

    asked = await session.fleet.ask(cached_models)
    found, errors = answered(asked), failed(asked)
    every = presences(found)
    data = {
        "models": [_data(p, bool(errors)) for p in every] if found else None,
        "asked": list(found),
        "unknown": {node: error.as_data() for node, error in errors.items()},
    }
    rows = []
    for p in every:
        everywhere = "on all nodes that answered" if p.everywhere and errors else p.summary
        known = None if p.size_bytes is None else size(p.size_bytes)
        rows.append((p.name, known, f"{len(p.complete)}/{len(session.fleet.names)}", everywhere))
    sheet: Sheet | str = Sheet.of(("model", "size", "nodes", ""), rows) if rows else _nothing(found, errors)
    lines = [f"{node}: unknown: {error.cause}" for node, error in errors.items()]
    return Answer(data, (sheet, *lines), exit_code_of_look(errors.values()))


def _nothing(found: Mapping[str, object], errors: Mapping[str, object]) -> str:
    """No model was seen, as far as anybody looked."""
    if not found:
        return "which models there are is unknown: no node could be asked"
    return f"no model is in the cache of {', '.join(found)}" if errors else "no model is in any node's cache"


def _data(presence: ModelPresence, partial: bool) -> dict[str, Any]:
    """Where not every node answered, that all of them have it is not known; that one lacks it is."""
    return {
        "name": presence.name,
        "size_bytes": presence.size_bytes,
        "everywhere": None if partial and presence.everywhere else presence.everywhere,
        "complete": list(presence.complete),
        "incomplete": dict(presence.incomplete),
        "missing": list(presence.missing),
        "snapshots": list(presence.snapshots),
        "bytes": dict(presence.sizes),
    }
