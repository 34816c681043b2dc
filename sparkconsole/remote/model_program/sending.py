"""The sending end: several connections to one receiver, a file at a time on each."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import struct
import subprocess
import threading
import time
from typing import Any, BinaryIO, cast

from sparkconsole.remote.model_program.hashes import (
    CHUNK,
    STOP,
    Counted,
    Wrong,
    hash_of,
    hasher,
    named_hash,
    say,
)
from sparkconsole.remote.model_program.receiving import DROP, END

BOOT = "import sys;i=sys.stdin.buffer;n=int(i.readline());exec(compile(i.read(n),'model','exec'))"


class Stream:
    """One connection to the receiver."""

    def __init__(self, ssh: list[str], root: str) -> None:
        words = [*ssh, "python3 -u -c " + quoted(BOOT) + " model receive " + quoted(root)]
        # A group of its own: a cancelled job ends us, and we end this in good order.
        self.far = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.put, self.got = cast(BinaryIO, self.far.stdin), cast(BinaryIO, self.far.stdout)
        self.said = cast(BinaryIO, self.far.stderr)
        program: bytes = globals()["PROGRAM"]
        self.write(b"%d\n" % len(program) + program)

    def write(self, data: bytes) -> None:
        """Sends, or says why the far end does not take it."""
        try:
            self.put.write(data)
            self.put.flush()
        except OSError:
            self.answer()
            raise Wrong("the receiver stopped taking it") from None

    def answer(self) -> dict[str, Any]:
        """The next line; Wrong when it is an error or there is none."""
        line = self.got.readline()
        if not line:
            said = self.said.read().decode(errors="replace").strip().splitlines()
            raise Wrong("connection lost: " + (said[-1] if said else "the receiver said nothing"))
        told: dict[str, Any] = json.loads(line)
        if "error" in told:
            raise Wrong(told["error"])
        return told

    def ask(self, **words: Any) -> dict[str, Any]:
        """A line of JSON, and the answer."""
        self.write(json.dumps(words).encode() + b"\n")
        return self.answer()

    def send(self, root: str, row: dict[str, Any], counted: Counted) -> None:
        """One file; a second time from the start when it arrived wrong."""
        path, size = os.path.join(root, row["file"]), row["size"]
        for attempt in (0, 1):
            began = self.ask(path=row["file"], size=size, again=row.get("again", False), fresh=attempt > 0)
            if began.get("skip"):
                counted.add(size)
                return
            if self.pour(path, size, began["offset"], counted):
                return
            wanted = named_hash(path)
            if wanted and hash_of(path) != wanted:
                raise Wrong("the sender's own file is damaged")
            counted.add(-size)
        raise Wrong("it arrived wrong twice")

    def pour(self, path: str, size: int, offset: int, counted: Counted) -> bool:
        """The bytes from an offset on; whether they arrived right."""
        wanted, found = named_hash(path), hasher(path, size)
        counted.add(offset)
        with open(path, "rb") as file:
            if wanted:
                file.seek(offset)
            at = offset if wanted else 0
            while chunk := file.read(CHUNK):
                if STOP.is_set():
                    self.write(struct.pack(">I", DROP))
                    raise Wrong("stopped")
                if not wanted:
                    found.update(chunk)
                part = chunk[max(0, offset - at) :]
                at += len(chunk)
                if part:
                    self.write(struct.pack(">I", len(part)) + part)
                    counted.add(len(part))
        self.write(
            struct.pack(">I", END) + json.dumps({"hash": wanted or found.hexdigest()}).encode() + b"\n"
        )
        return bool(self.answer()["ok"])

    def close(self) -> None:
        """Ends it."""
        for end in (self.put, self.got, self.said):
            with contextlib.suppress(OSError):
                end.close()
        try:
            self.far.wait(10)
        except subprocess.TimeoutExpired:
            self.far.kill()


def quoted(word: str) -> str:
    """For the far end's shell."""
    return "'" + word.replace("'", "'\\''") + "'"


def send(manifest: str) -> int:
    """Everything that the manifest names, several files at once; links only after every file arrived."""
    with open(manifest) as file:
        head, *rows = [json.loads(line) for line in file]
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()
    files = sorted((r for r in rows if "file" in r), key=lambda r: -int(r["size"]))
    for row in files:
        waiting.put(row)
    counted, failed = Counted(sum(r["size"] for r in files)), dict[str, str]()
    streams = max(1, min(int(head["streams"]), len(files)))
    work = [threading.Thread(target=drain, args=(head, waiting, counted, failed)) for _ in range(streams)]
    for thread in work:
        thread.start()
    while any(thread.is_alive() for thread in work):
        counted.tell()
        work[0].join(0.5) if work[0].is_alive() else time.sleep(0.2)
    if not failed and not STOP.is_set():
        tie(head, rows, failed)
    counted.tell()
    if STOP.is_set():
        failed = {"": "stopped; what was whole stays, what was not is gone"}
    say(end=True, failed=failed)
    return 1 if failed else 0


def drain(
    head: dict[str, Any], waiting: queue.Queue[dict[str, Any]], counted: Counted, failed: dict[str, str]
) -> None:
    """One connection's share."""
    stream = Stream(head["ssh"], head["to"])
    try:
        while not STOP.is_set() and not failed:
            row = waiting.get_nowait()
            try:
                stream.send(head["root"], row, counted)
            except (OSError, Wrong) as error:
                failed[row["file"]] = getattr(error, "strerror", None) or str(error)
    except queue.Empty:
        pass
    except (OSError, Wrong) as error:
        failed[""] = str(error)
    finally:
        stream.close()


def tie(head: dict[str, Any], rows: list[dict[str, Any]], failed: dict[str, str]) -> None:
    """The links, then the small files that name the revision."""
    stream = Stream(head["ssh"], head["to"])
    try:
        for row in (r for r in rows if "file" not in r):
            stream.ask(**row)
    except Wrong as error:
        failed["links"] = str(error)
    finally:
        stream.close()
