"""The receiver's part: waits until the sender's layers can be read, fetches, and ends with the sender.

Standard input is the sender's pulse. A word `stop` is somebody who does not want the copy any more: what came
is removed. An end or a silence is a sender that is gone: what came is kept, to go on from.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from typing import Any

from sparkconsole.remote.image_program.engine import Engine
from sparkconsole.remote.image_program.loading import Load
from sparkconsole.remote.image_program.protocol import Wrong, say
from sparkconsole.remote.image_program.pulling import Pull
from sparkconsole.remote.image_program.tunnel import Tunnel

SILENCE_S = 20
"""The sender's ssh gives up after 15 s; the sshd on this side would wait for hours."""
STOPPED = 143


class Pulse:
    """What the sender says meanwhile."""

    def __init__(self) -> None:
        self.ready, self.stopping = threading.Event(), threading.Event()
        self.doing: Load | Pull | None = None
        self.silent = False

    def watch(self) -> None:
        """Until the sender is gone, or stops us; then all of this process ends."""
        try:
            while self._alive():
                pass
            if self.doing is not None:
                self.doing.stop(wanted=not self.stopping.is_set())
            if self.silent:
                hang_up()
        finally:
            os._exit(STOPPED)

    def _alive(self) -> bool:
        """The sender said something again: `on`, `go` once the layers can be read, or `stop`."""
        heard, _, _ = select.select([0], [], [], SILENCE_S)
        self.silent = not heard
        words = os.read(0, 64).decode("ascii", "replace").split() if heard else []
        for word, event in (("go", self.ready), ("stop", self.stopping)):
            if word in words:
                event.set()
        return bool(words) and not self.stopping.is_set()


def hang_up() -> None:
    """Ends the login: its sshd would hold the port for a quarter of an hour, for a sender that is gone."""
    pid = os.getppid()
    while pid > 1:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
        if name.startswith("sshd"):
            os.kill(pid, signal.SIGTERM)
            return
        pid = int(rest.split()[1])


def receive(words: dict[str, Any]) -> int:
    """Does what the sender's words say; an exit status. The last line says how it ended."""
    pulse = Pulse()
    threading.Thread(target=pulse.watch, daemon=True).start()
    try:
        sent = fetch(words, pulse)
    except Wrong as error:
        if pulse.stopping.is_set():
            threading.Event().wait()  # the watch ends this process when it has cleaned up
        say(end=True, error=str(error), final=error.final)
        return 1
    say(end=True, sent=sent)
    return 0


def fetch(words: dict[str, Any], pulse: Pulse) -> int:
    """By `docker load` or by `docker pull`, as the console chose."""
    engine, tunnel, names = Engine(), Tunnel(words["port"]), words["names"]
    try:
        # Looked at while the sender gets ready.
        present = engine.images()
        pulse.ready.wait()
        pulls = words["way"] == "pull"
        pulse.doing = Pull(engine, tunnel, words["layers"], names) if pulls else Load(engine, tunnel, names)
        return pulse.doing.run(words["platform"], present)
    except (ValueError, KeyError) as error:
        raise Wrong("the image's description cannot be understood: %s" % error) from error  # noqa: UP031
    except OSError as error:
        raise Wrong("Docker's socket: %s" % error) from error  # noqa: UP031
