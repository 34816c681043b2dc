"""The console as a user starts it, with a thread beside it that writes down how old each node's reading is.

`python -m tests.flood.console FILE`: a JSON line five times a second, however busy the console is.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from sparkconsole import cli
from sparkconsole.tui.app import Console

PERIOD_S = 0.2


def record(app: Console, path: Path) -> None:
    """Until the process ends."""
    with path.open("w") as file:
        while True:
            now = time.monotonic()
            nodes = list(app.store.nodes.values())
            said = {
                "ages": {n.name: None if n.read_at_s is None else now - n.read_at_s for n in nodes},
                "unknown": {n.name: [n.reason, n.docker_error] for n in nodes},
                "events": [[e.source, e.text] for e in tuple(app.store.events)],
                "server": [app.store.server.phase.value, app.store.server.detail],
            }
            file.write(json.dumps(said) + "\n")
            file.flush()
            time.sleep(PERIOD_S)


def main() -> int:
    path = Path(sys.argv.pop(1))
    begin = Console._begin

    def begun(self: Console) -> None:
        threading.Thread(target=record, args=(self, path), daemon=True).start()
        begin(self)

    Console._begin = begun  # type: ignore[method-assign,assignment]
    return cli.run([])


if __name__ == "__main__":
    sys.exit(main())
