"""The watch without a screen, run at the operator: a JSON line for every event and change of the server."""

from __future__ import annotations

import asyncio
import json

from sparkconsole.fleet.store import Store
from sparkconsole.fleet.watch.watch import Watch
from sparkconsole.verbs.grammar.open_session import open_session
from sparkconsole.verbs.grammar.session import Options


async def main() -> None:
    """Until it is ended."""
    async with open_session(Options()) as session:
        store, told, before = Store(session.cluster), 0, ""
        async with Watch(session.fleet, store):
            while True:
                for event in list(store.events)[told:]:
                    told += 1
                    say(event.source, event.text, level=event.level)
                server = store.server
                now = f"{server.phase} {server.suspect} {server.detail}"
                if now != before:
                    before = now
                    say(
                        "server",
                        server.detail,
                        phase=server.phase,
                        suspect=server.suspect,
                        signs=server.signs,
                    )
                await asyncio.sleep(0.2)


def say(source: str, text: str, **more: object) -> None:
    print(json.dumps({"source": source, "text": text, **more}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
