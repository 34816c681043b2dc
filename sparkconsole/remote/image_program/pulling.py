"""At a receiver with containerd's store: `docker pull` from the sender's registry, which ends at this port.

Loading a part is not for this store: it says `Loaded image` of images that it could not unpack (measured).
A pull fetches what neither its snapshots nor its content have, checks every digest, and keeps what arrived.
The name is given last: nothing half is ever called by it.
"""

from __future__ import annotations

import http.client
from typing import Any

from sparkconsole.remote.image_program.engine import Engine
from sparkconsole.remote.image_program.loading import shared_layers
from sparkconsole.remote.image_program.protocol import Progress, Wrong
from sparkconsole.remote.image_program.tunnel import Tunnel

PHASES = {
    "Downloading": "receiving",
    "Download complete": "registering",
    "Extracting": "registering",
    "Pull complete": "there",
    "Already exists": "there",
}


class Pull:
    """The image from a registry at this port of the loopback, which engines talk to without TLS."""

    def __init__(self, engine: Engine, tunnel: Tunnel, layers: list[str], names: list[str]) -> None:
        self.engine, self.layers, self.names = engine, layers, names
        self.repository = f"127.0.0.1:{tunnel.port}/sparkconsole/copy"
        self.here = f"{self.repository}:latest"
        self.progress = Progress(len(layers))
        self.parts = tunnel.manifest()
        self.places = {digest[7:19]: place for place, (digest, _) in enumerate(self.parts)}

    def run(self, platform: str, present: list[dict[str, Any]]) -> int:
        """Pulls, proves, and gives the names; bytes of the layers that came."""
        shared = shared_layers(self.layers, platform, present)
        self.progress.expect(sum(size for _, size in self.parts[shared:]))
        try:
            self._fetch()
            self._require_right(self.here)
            for name in self.names:
                self.engine.tag(self.here, name)
        finally:
            self.engine.remove(self.here)
        return self.progress.sent

    def stop(self, wanted: bool) -> None:
        """Gives up, wanted or not. The engine ends the pull with this process, and forgets its layers in a
        day unless the next copy asks for them."""
        self.engine.remove(self.here)

    def _fetch(self) -> None:
        link = self.engine.link()
        try:
            link.request("POST", f"/images/create?fromImage={self.repository}&tag=latest")
            for news in self.engine.progress(link.getresponse()):
                self._hear(news)
        except (OSError, http.client.HTTPException) as error:
            raise Wrong("the engine went away: %s" % error) from error  # noqa: UP031
        finally:
            link.close()

    def _hear(self, news: dict[str, Any]) -> None:
        """A layer's turn; the configuration travels as layers do, and is none."""
        phase, place = PHASES.get(news.get("status", "")), self.places.get(news.get("id", ""))
        if phase is None or place is None:
            return
        size = self.parts[place][1]
        if phase == "receiving":
            self.progress.got(place, (news.get("progressDetail") or {}).get("current", 0), size)
        elif phase == "registering":
            self.progress.came(place, size)
        self.progress.turn(place, phase, size)

    def _require_right(self, name: str) -> None:
        """All layers, and a container: only that tells whether they were unpacked."""
        found = (self.engine.inspect(name).get("RootFS") or {}).get("Layers")
        if found != self.layers:
            raise Wrong("what arrived has other layers than the sender's image")
        self.engine.require_usable(name)
