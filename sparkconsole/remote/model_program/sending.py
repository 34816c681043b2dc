"""The sending end: several connections to one receiver, a file at a time on each."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import queue
import shlex
import signal
import struct
import subprocess
import threading
import time
from subprocess import PIPE
from typing import Any, BinaryIO, cast

from sparkconsole.remote.model_program.hashes import (
    CHUNK,
    STOP,
    Counted,
    ModelWrong,
    hash_of,
    hasher,
    named_hash,
    say,
)
from sparkconsole.remote.model_program.receiving import DROP, END

BOOT = "import sys;i=sys.stdin.buffer;n=int(i.readline());exec(compile(i.read(n),'model','exec'))"
MARK, MOST_GREETING = "sparkconsole-receives", 1 << 20
"""What the far end says first; what its login prints before is no answer, and more than that no login."""
GRACE_S = 5
"""A stopped job has ten seconds until it is killed."""


class Stream:
    """One connection to the receiver."""

    def __init__(self, ssh: list[str], root: str, among: list[Stream]) -> None:
        program = "python3 -u -c " + shlex.quote(BOOT) + " model receive " + shlex.quote(root)
        words = [*ssh, for_any_shell("echo " + MARK + "; exec " + program)]
        # A group of its own: a cancelled job ends us, and we end this in good order.
        self.far = subprocess.Popen(
            words, stdin=PIPE, stdout=PIPE, stderr=PIPE, bufsize=0, start_new_session=True
        )
        self.put = cast(BinaryIO, self.far.stdin)
        self.got = io.BufferedReader(cast(io.FileIO, self.far.stdout))
        self.errors = cast(BinaryIO, self.far.stderr)
        among.append(self)
        self.greeted = False
        parts: bytes = globals()["PROGRAM"]
        self.write(b"%d\n" % len(parts) + parts)

    def write(self, data: bytes | memoryview) -> None:
        """Sends, or says why the far end does not take it."""
        try:
            while data:
                data = data[self.put.write(data) :]
        except OSError:
            self.refused()

    def refused(self) -> None:
        """Why it does not."""
        self.answer()
        raise ModelWrong("the receiver stopped taking it")

    def answer(self) -> dict[str, Any]:
        """The next line; Wrong when it is an error or there is none."""
        line = self.got.readline() if self.greeted else self.past_greeting()
        if not line:
            lines = self.errors.read().decode(errors="replace").strip().splitlines()
            raise ModelWrong("connection lost: " + (lines[-1] if lines else "the receiver said nothing"))
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            answered = repr(line.decode(errors="replace").strip()[:60])
            raise ModelWrong("the receiver said what is no answer: " + answered) from None
        if "error" in answer:
            raise ModelWrong(answer["error"])
        return answer

    def past_greeting(self) -> bytes:
        """The first line behind what the login's startup files print; none where they never end."""
        left = MOST_GREETING
        while left > 0 and (line := self.got.readline(left)):
            left -= len(line)
            if line.endswith(MARK.encode() + b"\n"):
                self.greeted = True
                return self.got.readline()
        if left <= 0:
            raise ModelWrong("its login prints and prints, and comes to no command")
        return b""

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
                raise ModelWrong("the sender's own file is damaged")
            counted.add(-size)
        raise ModelWrong("it arrived wrong twice")

    def pour(self, path: str, size: int, offset: int, counted: Counted) -> bool:
        """The bytes from an offset on; whether they arrived right."""
        counted.add(offset)
        with open(path, "rb", 0) as file:
            wanted = named_hash(path)
            if wanted:
                self.pass_on(file, offset, counted)
            else:
                wanted = self.read_out(file, hasher(path, size), offset, counted)
        self.write(struct.pack(">I", END) + json.dumps({"hash": wanted}).encode() + b"\n")
        return bool(self.answer()["ok"])

    def pass_on(self, file: Any, offset: int, counted: Counted) -> None:
        """A file whose name is its hash: the kernel hands it to ssh, nothing of it comes in here."""
        end = os.fstat(file.fileno()).st_size
        while offset < end:
            count = min(CHUNK, end - offset)
            self.frame(count)
            self.splice(file, offset, count)
            counted.add(count)
            offset += count

    def splice(self, file: Any, offset: int, count: int) -> None:
        """So many bytes from there on; where the kernel cannot, they are read and written."""
        try:
            while count:
                moved = os.sendfile(self.put.fileno(), file.fileno(), offset, count)
                if not moved:
                    raise ModelWrong("the sender's own file became shorter")
                offset, count = offset + moved, count - moved
        except OSError as error:
            if error.errno == errno.EPIPE:
                self.refused()
            if error.errno not in (errno.EINVAL, errno.ENOSYS):
                raise
            self.write(os.pread(file.fileno(), count, offset))

    def read_out(self, file: Any, found: Any, offset: int, counted: Counted) -> str:
        """A file of any other name is read from its beginning: its hash."""
        at = 0
        while chunk := file.read(CHUNK):
            found.update(chunk)
            part = memoryview(chunk)[max(0, offset - at) :]
            at += len(chunk)
            if part:
                self.frame(len(part))
                self.write(part)
                counted.add(len(part))
        return str(found.hexdigest())

    def frame(self, count: int) -> None:
        """So many bytes follow, unless all of it is to end."""
        if STOP.is_set():
            self.write(struct.pack(">I", DROP))
            raise ModelWrong("stopped")
        self.write(struct.pack(">I", count))

    def close(self) -> None:
        """Ends it."""
        for end in (self.put, self.got, self.errors):
            with contextlib.suppress(OSError):
                end.close()
        try:
            self.far.wait(10)
        except subprocess.TimeoutExpired:
            self.far.kill()


def for_any_shell(script: str) -> str:
    """A script of sh as bash, zsh, dash, fish and tcsh all hand it on; remote.ssh.framing says why."""
    plain = set(range(0x20, 0x7F)) - set(b"'\\!")
    word = "".join(chr(n) if n in plain else "\\0%03o" % n for n in os.fsencode(script))  # noqa: UP031
    return 'exec /bin/sh -c \'eval "$(printf %b "$1")"\' sparkconsole \'' + word + "'"


def send(manifest: str) -> int:
    """Everything that the manifest names, several files at once; links only after every file arrived."""
    with open(manifest) as file:
        head, *rows = [json.loads(line) for line in file]
    sending = Sending(head, [row for row in rows if "file" in row])
    sending.to_the_end()
    if not sending.failed and not STOP.is_set():
        sending.tie([row for row in rows if "file" not in row])
    sending.close()
    sending.counted.tell()
    failed = {"": "stopped; what was whole stays, what was not is gone"} if STOP.is_set() else sending.failed
    say(end=True, failed=failed)
    return 1 if failed else 0


class Sending:
    """Several connections that share the files."""

    def __init__(self, head: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        self.head = head
        self.waiting: queue.Queue[dict[str, Any]] = queue.Queue()
        for row in sorted(rows, key=lambda r: -int(r["size"])):
            self.waiting.put(row)
        self.counted = Counted(sum(r["size"] for r in rows))
        self.failed: dict[str, str] = {}
        self.streams: list[Stream] = []
        # Each connection keeps a processor busy with its cipher: more of them than processors take turns.
        count = max(1, min(int(head["streams"]), len(rows), os.cpu_count() or 1))
        self.work = [threading.Thread(target=self.drain) for _ in range(count)]

    def to_the_end(self) -> None:
        """All of them, or the first that fails; one that does not end by itself after a stop is ended."""
        stopped = 0.0
        for thread in self.work:
            thread.start()
        while alive := [thread for thread in self.work if thread.is_alive()]:
            self.counted.tell()
            alive[0].join(0.3)
            if STOP.is_set():
                stopped = stopped or time.monotonic()
                if time.monotonic() - stopped > GRACE_S:
                    self.hang_up()

    def hang_up(self) -> None:
        """For what waits for its turn at the receiver, or for a link that is cut."""
        for stream in list(self.streams):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(stream.far.pid, signal.SIGKILL)

    def drain(self) -> None:
        """One connection's share."""
        row: dict[str, Any] = {}
        try:
            stream = Stream(self.head["ssh"], self.head["to"], self.streams)
            while not STOP.is_set() and not self.failed:
                row = self.waiting.get_nowait()
                stream.send(self.head["root"], row, self.counted)
                row = {}
        except queue.Empty:
            pass
        except (OSError, ModelWrong) as error:
            name = row.get("name") or row.get("file") or ""
            self.failed[name] = getattr(error, "strerror", None) or str(error)

    def tie(self, rows: list[dict[str, Any]]) -> None:
        """The links, then the small files that name the revision."""
        try:
            for row in rows:
                self.streams[0].ask(**row)
        except ModelWrong as error:
            self.failed["links"] = str(error)

    def close(self) -> None:
        """Ends the connections."""
        for stream in self.streams:
            stream.close()
