"""Where configuration is, what it says in effect, and what it may say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sparkconsole.config import paths
from sparkconsole.config.inventory import Inventory
from sparkconsole.config.patience import patiently
from sparkconsole.config.settings import Settings, load_settings
from sparkconsole.model.text.redact import redact_data
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.verbs.grammar.open_session import inventory_path
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here


@verb("config path")
async def path(session: Here) -> Answer:
    """Where the files are, and whether they exist."""
    files: dict[str, Path] = {
        "clusters and nodes": inventory_path(session.options),
        "settings": paths.settings_file(),
        "journal": session.journal.folder,
    }
    there = {what: _exists(where) for what, where in files.items()}
    words = {True: "yes", False: "not yet", None: "its disk does not answer"}
    rows = [(what, where, words[there[what]]) for what, where in files.items()]
    data = {what: {"path": str(where), "exists": there[what]} for what, where in files.items()}
    return Answer(data, (Sheet.of(("what", "path", "exists"), rows),))


def _exists(path: Path) -> bool | None:
    try:
        return patiently(path.parent, path.exists)
    except OSError:
        return None


@verb("config show")
async def show(session: Here) -> Answer:
    """What is in effect: the cluster with every node's own values, and the settings."""
    import tomlkit

    cluster = session.cluster
    nodes = [cluster.effective(node).model_dump(mode="json", exclude_none=True) for node in cluster.nodes]
    data: dict[str, Any] = {
        "clusters": list(session.inventory.clusters),
        "cluster": {**cluster.model_dump(mode="json", exclude_none=True), "nodes": nodes},
        "settings": load_settings(paths.settings_file()).model_dump(mode="json", exclude_none=True),
    }
    data = redact_data(data)
    return Answer(data, (tomlkit.dumps(data).rstrip(),))


@verb("config schema")
async def schema(session: Here) -> Answer:
    """What cluster.toml and config.toml may say, as JSON schemas."""
    data = {"cluster.toml": Inventory.model_json_schema(), "config.toml": Settings.model_json_schema()}
    return Answer(data, (json.dumps(data, indent=2, ensure_ascii=False),))
