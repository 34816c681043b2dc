"""Runs on a node, from standard input: one end of a measurement. Says its port and its result, a line each.

Python 3.8 and its standard library only. It and the tool it started end when its input ends, at the latest
after the seconds it is given. Arguments: `gate-meter`, those seconds, and what to do as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

STREAMS = 4
CHUNK = 1 << 20
WAIT_S = 3.0
"""For the other end to come, and for a tool to listen."""
KEPT = 60_000


def say(**answer: Any) -> None:
    """A line."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class Child:
    """The tool that was started, if one was: ended by its own process group."""

    running: subprocess.Popen[bytes] | None = None

    @classmethod
    def end(cls) -> None:
        """Nothing of it is left."""
        if cls.running is not None and cls.running.poll() is None:
            os.killpg(cls.running.pid, signal.SIGKILL)
            cls.running.wait()


def leave(*_: object) -> None:
    """Ends the tool and this program, from any thread."""
    try:
        Child.end()
    finally:
        os._exit(1)


def mind_input() -> None:
    """The console's end is the end."""
    while os.read(0, 4096):
        pass
    leave()


# --- a tool of two ends


def free_port(address: str) -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Somebody on this machine does."""
    wanted = f":{port:04X}"
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError), open(name, encoding="ascii") as table:
            rows = [line.split()[1:4] for line in table]
            if any(row[0].endswith(wanted) and row[2] == "0A" for row in rows):
                return True
    return False


def run_tool(argv: list[str], port: int, announce: bool) -> None:
    """Runs it to its end; a server's port is said once it listens."""
    words = [str(port) if word == "PORT" else word for word in argv]
    ends = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    started = Child.running = subprocess.Popen(words, start_new_session=True, **ends)  # type: ignore[call-overload]
    until = time.monotonic() + WAIT_S
    while announce and started.poll() is None:
        if listens(port):
            say(port=port)
            break
        if time.monotonic() > until:
            Child.end()
        time.sleep(0.02)
    output = started.communicate()[0].decode("utf-8", "replace")
    say(status=started.returncode, output=output[:KEPT])


# --- plain TCP, where there is no tool


def receive(address: str) -> None:
    """Counts what arrives, until every stream ended."""
    with socket.create_server((address, 0), backlog=STREAMS) as door:
        door.settimeout(WAIT_S)
        say(port=door.getsockname()[1])
        streams = [door.accept()[0] for _ in range(STREAMS)]
    counts, moments = [0] * STREAMS, [0.0] * STREAMS
    began = time.monotonic()

    def drain(place: int, stream: socket.socket) -> None:
        room = bytearray(CHUNK)
        while count := stream.recv_into(room):
            counts[place] += count
            moments[place] = time.monotonic()

    _all(drain, streams)
    seconds = max(moments) - began
    say(bytes=sum(counts), seconds=seconds, gbit=sum(counts) * 8e-9 / seconds if seconds > 0 else 0)


def send(address: str, peer: str, port: int, seconds: float, most: int) -> None:
    """Sends for so long, or so many bytes."""
    streams = [socket.create_connection((peer, port), WAIT_S, (address, 0)) for _ in range(STREAMS)]
    until, data = time.monotonic() + seconds, bytes(CHUNK)
    sent = [0] * STREAMS

    def pour(place: int, stream: socket.socket) -> None:
        while time.monotonic() < until and sent[place] < most // STREAMS:
            stream.sendall(data)
            sent[place] += CHUNK
        stream.close()

    _all(pour, streams)
    say(bytes=sum(sent))


def _all(work: Any, streams: list[socket.socket]) -> None:
    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(limit_s: float, asked: dict[str, Any]) -> None:
    """One end, as asked."""
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
    for watch in (threading.Timer(limit_s, leave), threading.Thread(target=mind_input)):
        watch.daemon = True
        watch.start()
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    os.environ["LC_ALL"] = "C"
    try:
        if "argv" in asked:
            announce = "port" not in asked
            run_tool(asked["argv"], asked.get("port") or free_port(asked["address"]), announce)
        elif "peer" in asked:
            send(asked["address"], asked["peer"], asked["port"], asked["seconds"], asked["most"])
        else:
            receive(asked["address"])
    except OSError as error:
        say(error=str(error))


if __name__ == "__main__":
    main(float(sys.argv[2]), json.loads(sys.argv[3]))
