"""At a receiver with graph drivers: what it lacks goes into `docker load`, a few layers at a time.

The engine looks a layer up before it opens its file, so an archive may leave out what it has
(moby PR 18727). Whatever arrived of an interrupted copy is kept by an image without a name, which the next
copy finds and goes on from. While the engine registers one part the next one travels.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import tarfile
import threading
from typing import Any

from sparkconsole.remote.image_program.engine import LONG_S, Engine
from sparkconsole.remote.image_program.protocol import Progress, Wrong
from sparkconsole.remote.image_program.tunnel import Tunnel

LABEL = "org.sparkconsole.checkpoint"
PART_BYTES = 16 << 20
"""Smaller layers travel together: each part costs the engine a tenth of a second."""
END = b"\0" * 2 * tarfile.BLOCKSIZE


def header(name: str, size: int) -> bytes:
    """The tar header of a plain file, the same for the same content."""
    file = tarfile.TarInfo(name)
    file.size = size
    return file.tobuf(tarfile.GNU_FORMAT)


def padding(size: int) -> bytes:
    """What fills the last block."""
    return b"\0" * (-size % tarfile.BLOCKSIZE)


def entry(name: str, text: bytes) -> bytes:
    """A small file of the archive."""
    return header(name, len(text)) + text + padding(len(text))


def blob_name(digest: str) -> str:
    """Where the archive keeps a blob."""
    return "blobs/sha256/" + digest.rsplit(":", 1)[-1]


def parts(sizes: list[int], least: int = PART_BYTES) -> list[range]:
    """Runs of layers of at least so many bytes each, the last one as it comes."""
    found, begin, together = [], 0, 0
    for place, size in enumerate(sizes):
        together += size
        if together >= least or place == len(sizes) - 1:
            found.append(range(begin, place + 1))
            begin, together = place + 1, 0
    return found


def checkpoint(config: dict[str, Any], layers: int, tag: str) -> bytes:
    """The configuration of an image of the first layers, which nobody runs."""
    words = {key: config[key] for key in ("architecture", "os", "variant") if key in config}
    diffs = config["rootfs"]["diff_ids"][:layers]
    own = {"config": {"Labels": {LABEL: tag}}, "rootfs": {"type": "layers", "diff_ids": diffs}}
    return json.dumps({**words, **own}).encode()


class Part:
    """One `docker load`: it is sent, waits for the part before it, and is registered."""

    def __init__(self, engine: Engine, size: int, before: Part | None) -> None:
        self.engine, self.before, self.ended = engine, before, False
        self.link, self.over = engine.link(), threading.Event()
        self.wrong: Wrong | None = None
        self.link.putrequest("POST", "/images/load?quiet=0")
        self.link.putheader("Content-Type", "application/x-tar")
        self.link.putheader("Content-Length", str(size))
        self.link.endheaders()

    def write(self, data: bytes | memoryview) -> None:
        """Sends; what the engine says when it stops listening is the reason."""
        try:
            self.link.sock.sendall(data)
        except OSError:
            self._hear()
            raise Wrong("the engine stopped taking the image") from None

    def close(self) -> None:
        """The rest happens by itself: the archive ends only when the part before it is registered."""
        threading.Thread(target=self._finish, daemon=True).start()

    def wait(self) -> None:
        """Until it is registered; Wrong when it was not."""
        self.over.wait()
        if self.wrong is not None:
            raise self.wrong

    def drop(self) -> None:
        """Closes the connection: an archive without its end is no image. One that has its end is let be."""
        if not self.ended:
            self.link.close()
            self.over.set()

    def _finish(self) -> None:
        try:
            if self.before is not None:
                self.before.wait()
            self.ended = True
            self.write(END)
            self._hear()
        except Wrong as error:
            self.wrong = error
        finally:
            self.link.close()
            self.over.set()

    def _hear(self) -> None:
        try:
            for _ in self.engine.progress(self.link.getresponse()):
                pass
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Wrong("the engine went away: %s" % error) from error  # noqa: UP031


class Load:
    """The layers that this engine lacks, and what is kept of them until all are there."""

    def __init__(self, engine: Engine, tunnel: Tunnel, names: list[str]) -> None:
        self.engine, self.tunnel, self.tag, self.names = engine, tunnel, names[0], names
        self.config = tunnel.config()
        self.words: dict[str, Any] = json.loads(self.config)
        self.diffs: list[str] = self.words["rootfs"]["diff_ids"]
        self.progress = Progress(len(self.diffs))
        self.begun: list[Part] = []

    def run(self, platform: str, present: list[dict[str, Any]]) -> int:
        """Loads what no image of `present` has; bytes of the layers that came. Wrong when an end fails."""
        shared = shared_layers(self.diffs, platform, present)
        sizes = [self.tunnel.size(place) for place in range(shared, len(self.diffs))]
        self.progress.expect(sum(sizes))
        try:
            for run in parts(sizes) or [range(0)]:
                self._send(shared, run, sizes)
            for part in self.begun:
                part.wait()
        finally:
            self._drop()
        self.forget()
        return self.progress.sent

    def _drop(self) -> None:
        for part in self.begun:
            part.drop()

    def _send(self, shared: int, run: range, sizes: list[int]) -> None:
        """One part, while the one before it may still be registered; the one before that is."""
        for part in self.begun[-2:-1]:
            part.wait()
        top = shared + run.stop
        head = self._head(top)
        size = len(head) + sum(tarfile.BLOCKSIZE + sizes[i] + len(padding(sizes[i])) for i in run) + len(END)
        part = Part(self.engine, size, self.begun[-1] if self.begun else None)
        self.begun.append(part)
        part.write(head)
        for place in run:
            self._layer(part, shared + place, sizes[place])
        self.progress.turn(max(top - 1, 0), "registering", sizes[run.stop - 1] if run else 0)
        part.close()

    def _head(self, top: int) -> bytes:
        """Manifest and configuration: the image's own for the last part, a checkpoint's before it."""
        whole = top == len(self.diffs)
        config = self.config if whole else checkpoint(self.words, top, self.tag)
        name = blob_name(hashlib.sha256(config).hexdigest())
        layers = [blob_name(diff) for diff in self.diffs[:top]]
        manifest = [{"Config": name, "RepoTags": self.names if whole else None, "Layers": layers}]
        return entry("manifest.json", json.dumps(manifest).encode()) + entry(name, config)

    def _layer(self, part: Part, place: int, size: int) -> None:
        self.progress.turn(place, "receiving", size)
        part.write(header(blob_name(self.diffs[place]), size))
        done = 0
        for chunk in self.tunnel.layer(place):
            part.write(chunk)
            done += len(chunk)
            self.progress.got(place, done, size)
        part.write(padding(size))

    def stop(self, wanted: bool) -> None:
        """Gives up. What has come goes when nobody wants it any more, once the engine is done with it."""
        if wanted:
            return
        self._drop()
        for part in self.begun:
            part.over.wait(LONG_S)
        self.forget()

    def forget(self) -> None:
        """What was kept to go on from is not needed any more."""
        for image in self.engine.labelled(f"{LABEL}={self.tag}"):
            self.engine.remove(image)


def shared_layers(diffs: list[str], platform: str, images: list[dict[str, Any]]) -> int:
    """How many of its first layers an image of the same platform has here."""
    ours = [i for i in images if [i.get("Os"), i.get("Architecture")] == platform.split("/")[:2]]
    return max((_prefix(diffs, (i.get("RootFS") or {}).get("Layers") or []) for i in ours), default=0)


def _prefix(one: list[str], other: list[str]) -> int:
    equal = [a == b for a, b in zip(one, other)]  # noqa: B905 - read on Python 3.8
    return equal.index(False) if False in equal else len(equal)
