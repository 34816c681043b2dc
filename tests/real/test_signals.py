"""Ctrl-C, TERM, HUP and a closed terminal in every verb that works on nodes: nothing of ours runs on there.

Each verb of the registry has a case here, or stands in a list of those without one, with the reason. A case
is started on two nodes, and gets its signal when a node shows it at work: most of them then wait at a gate, a
program of the node that does not come to its work (`GATE`). What runs afterwards has to be a job, named.

What needs a real server (`ELSEWHERE`) gets its signals in chaos (tests/chaos/serving.py), with Ray and vLLM:
a stand-in of a server would not be under way.
"""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sparkconsole.verbs.grammar.registry import load
from tests.chaos.console import PLAIN
from tests.chaos.scene import Person
from tests.model_caches import hub_cache, shards
from tests.real.conftest import NAMES
from tests.real.test_left_behind import LAUNCH, introduced, marked
from tests.testbed.testbed import Testbed, until

NODES = (1, 2)
MODEL = "lab/tiny"
IMAGE, COPIED, BUILT = "sleeper:1", "copied:1", "built:1"
TOOLS = ("docker", "python3", "nvidia-smi", "uname", "sudo", "sync", "reboot", "systemctl", "curl", "sed")
# Whatever matches waits there for as long as it is shut, and is written down.
GATE = r"""
mkdir -p /run/gate && chmod 777 /run/gate && cd /usr/local/bin
for tool in TOOLS; do cat >"$tool" <<'END'
#!/bin/sh
n=${0##*/}
if [ -s /run/gate/held ] && printf '%s\n' "$n $*" | grep -qE -f /run/gate/held; then
  printf '%s\n' "$n $*" >>/run/gate/seen; while [ -e /run/gate/held ]; do sleep 0.1; done
fi
PATH=/usr/bin:/usr/sbin:/bin:/sbin exec "$n" "$@"
END
chmod 755 "$tool"; done
""".replace("TOOLS", " ".join(TOOLS))
# What runs `sh` and what ends it, from the node's own root.
PACK = """
programs="/usr/bin/sh /usr/bin/dash /usr/bin/sleep /usr/bin/grep /usr/bin/sed /usr/bin/tr /usr/bin/cat"
for f in $programs $(ldd $programs 2>/dev/null | grep -o '/[^ ]*' | grep -v :); do
  realpath "$f"; echo "$(realpath "$(dirname "$f")")/$(basename "$f")"
done | sort -u | cut -c2- >/run/packed; for d in bin lib lib64; do [ ! -L /$d ] || echo $d; done >>/run/packed
tar -C / -cf - -T /run/packed | docker import - """
DOCKERFILE = f"FROM {IMAGE}\nRUN sleep 780\n"
LOGIN = "^sshd: spark"
SYSTEM = re.compile(
    r"^(/usr/s?bin/)?(sshd|dockerd|containerd|docker-init|docker-proxy|runc|python3 .*face)\b"
)
"""What a node's own services start."""


@dataclass(frozen=True)
class Case:
    """A verb's words, and what shows it at work: a gate that it waits at, or a process."""

    line: str
    held: str = "."
    """A pattern of command lines that wait."""
    runs: str = ""
    """A pattern of processes."""
    up: bool = False
    """It wants containers."""
    first: str = ""
    """Another line of the console's goes first; its run is RUN in `line`."""


CASES = {
    "node list": Case("node list --check"),
    "node exec": Case("node exec -- sh -c 'setsid sleep 779 & sleep 779'", runs="^sleep 779"),
    "node restart": Case("--yes node restart spark2", "^docker (restart|rm|run|stop|start)", up=True),
    "node reboot": Case("--yes=reboot node reboot spark2", "reboot|^sudo|^systemctl"),
    "node drop-caches": Case("--yes node drop-caches spark1", "drop_caches|^sudo|^sync"),
    "check": Case("check"),
    "doctor": Case("doctor"),
    "status": Case("status"),
    "image build": Case(
        f"--yes image build --recipe RECIPE --tag {BUILT} --no-cache --least-free 1", runs="^sleep 780"
    ),
    "image copy": Case(f"--yes image copy {COPIED} --to spark2", "^docker (load|import)"),
    "image list": Case("image list"),
    "image rollback": Case("--yes image rollback"),
    "image prune": Case("--yes=prune image prune"),
    "model list": Case("model list"),
    "model fit": Case(f"model fit {MODEL}"),
    "model copy": Case(f"--yes model copy {MODEL} --to spark2", "receive"),
    "model verify": Case(f"model verify {MODEL}"),
    "model download": Case(f"--yes model download {MODEL} --on spark2"),
    "fabric test": Case("fabric test", runs="meter|iperf3|ib_write"),
    "launch": Case(f"--yes {' '.join(LAUNCH)}", "^docker run"),
    "stop": Case("--yes stop", "^docker (rm|stop|kill)", up=True),
    "serve status": Case("serve status", up=True),
    "wait-for": Case("wait-for server --timeout 600", runs=LOGIN),
    "exec": Case("exec -- sh -c 'sleep 781 & sleep 781'", runs="^sleep 781", up=True),
    "logs": Case("logs -f", runs=LOGIN, up=True),
    "runs attach": Case("runs attach RUN", runs="^tail", first="image build"),
    "runs stop": Case("--yes runs stop RUN", r"^sed -n s.\^.*15", first="image build"),
    "runs again": Case("--yes runs again RUN", runs="^sleep 782", first="node exec -- sleep 782"),
}
ELSEWHERE = {"serve", "serve stop", "serve keep", "bench run", "node shell"}
"""In chaos, with real servers; a shell is the system's own ssh."""
NO_NODES = {
    "node scan", "node trust", "node add", "node remove", "explain", "fabric history", "runs list",
    "runs show", "runs export", "runs compare", "bench list", "bench show", "bench compare", "config path",
    "config show", "config schema", "demo fault", "demo clear", "demo faults", "examples", "examples list",
    "examples show", "help", "version", "completion", "web",
}  # fmt: skip
"""What they read and change is on the operator's own machine; of a node they see its sshd at most."""
WAYS = ("INT", "TERM", "HUP", "closed")


def test_every_verb_is_here() -> None:
    """A new verb gets a case, or a place among those without one."""
    assert sorted({*CASES, *ELSEWHERE, *NO_NODES}) == sorted(" ".join(words) for words in load())


@pytest.fixture(scope="module")
def anna(bed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """She knows two nodes, which have a gate, a small image, and on the first one another and a model."""
    person = introduced(bed, tmp_path_factory.mktemp("people") / "anna")
    recipe = person.home / "recipe"
    recipe.mkdir()
    (recipe / "Dockerfile").write_text(DOCKERFILE)
    for index in NODES:
        bed.exec(index, "sh", "-c", GATE)
    bed.exec(1, "sh", "-c", PACK + IMAGE)
    packed = bed.exec(1, "sh", "-c", f"docker save {IMAGE} | base64")
    bed.exec(2, "sh", "-c", "base64 -d | docker load", stdin=packed.encode())
    recipe = f"FROM {IMAGE}\nRUN echo 1 >/one\n".encode()
    bed.exec(1, "docker", "build", "-t", COPIED, "-", stdin=recipe)
    with tempfile.TemporaryDirectory() as home:
        hub_cache(Path(home), MODEL, shards(2, 1 << 16))
        packed_model = io.BytesIO()
        with tarfile.open(fileobj=packed_model, mode="w") as archive:
            archive.add(Path(home) / ".cache", ".cache")
    bed.exec(1, "tar", "-xC", "/home/spark", "--no-same-owner", stdin=packed_model.getvalue(), user="spark")
    yield person
    for index in NODES:
        bed.exec(
            index,
            "sh",
            "-c",
            f"docker rmi -f {IMAGE} {COPIED} {BUILT}; cd /usr/local/bin; rm -f {' '.join(TOOLS)}",
        )
        bed.exec(index, "rm", "-rf", "/run/gate", "/home/spark/.cache")


@pytest.fixture
def tidy(bed: Testbed, anna: Person) -> Iterator[None]:
    """One case's failure is not the next one's."""
    yield
    for index in NODES:
        bed.exec(index, "sh", "-c", "rm -f /run/gate/*; docker ps -aq | xargs -r docker rm -f")
        bed.exec(index, "sh", "-c", "pkill -9 -u spark; rm -rf /home/spark/.local /tmp/sparkconsole-*")
    shutil.rmtree(anna.temporary)
    anna.temporary.mkdir()


def processes(bed: Testbed, index: int) -> dict[str, str]:
    """What runs on a node beside its own services: command lines by number."""
    lines = (line.partition(" ") for line in bed.processes(index, ""))
    return {pid: words for pid, _, words in lines if not SYSTEM.search(words)}


def ours(bed: Testbed, before: dict[int, dict[str, str]]) -> list[str]:
    """What was not there before."""
    now = {index: processes(bed, index) for index in NODES}
    return [f"{NAMES[i - 1]}: {w}" for i in NODES for pid, w in now[i].items() if before[i].get(pid) != w]


class Terminal:
    """A console on a terminal of its own, which may be closed."""

    def __init__(self, bed: Testbed, person: Person, words: list[str]) -> None:
        self.side, shown = pty.openpty()
        argv = ("setsid", "--ctty", sys.executable, "-ISc", PLAIN, *bed.operator_argv("sparkconsole", *words))
        self.process = subprocess.Popen(
            argv, env=person.environment, stdin=shown, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        os.close(shown)
        self.text = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.text += line.decode(errors="replace")

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def hears(self, way: str) -> None:
        if way == "INT":
            os.write(self.side, b"\x03")
        elif way == "closed":
            os.close(self.side)
            self.side = -1
        else:
            self.process.send_signal(signal.SIGTERM if way == "TERM" else signal.SIGHUP)

    def end(self) -> int:
        """Its exit code, once it has ended by itself."""
        until(lambda: self.ended, f"it ends: {self.text}", 25)
        self.reader.join(20)
        return int(self.process.returncode)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.side >= 0:
            os.close(self.side)


def begun(bed: Testbed, case: Case, terminal: Terminal) -> bool:
    if case.runs:
        return any(bed.processes(index, case.runs) for index in NODES)
    return any(bed.exec(index, "cat", "/run/gate/seen", check=False) for index in NODES)


def prepared(bed: Testbed, anna: Person, case: Case) -> list[str]:
    """The words, once what they want is there."""
    line = case.line.replace("RECIPE", str(anna.home / "recipe"))
    if case.first:
        known = anna.recorded()
        first = Terminal(bed, anna, prepared(bed, anna, CASES.get(case.first, Case(case.first))))
        runs = CASES[case.first].runs if case.first in CASES else case.runs
        until(lambda: first.ended or any(bed.processes(i, runs) for i in NODES), case.first, 60)
        assert not first.ended, first.text
        first.hears("INT")
        first.end()
        first.close()
        line = line.replace("RUN", *(anna.recorded() - known))
    if not case.runs:
        for index in NODES:
            bed.exec(index, "sh", "-c", "cat >/run/gate/held", stdin=case.held.encode())
    return shlex.split(line)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("tidy")
def test_nothing_of_ours_runs_on(bed: Testbed, anna: Person, name: str) -> None:
    case, way = CASES[name], WAYS[list(CASES).index(name) % len(WAYS)]
    if case.up:
        assert anna.run("--yes", *LAUNCH).returncode == 0
    before = {index: processes(bed, index) for index in NODES}
    containers = {index: bed.containers(index) for index in NODES}
    terminal = Terminal(bed, anna, prepared(bed, anna, case))
    try:
        until(lambda: terminal.ended or begun(bed, case, terminal), f"{name} is at work", 25)
        assert not terminal.ended, terminal.text
        terminal.hears(way)
        for index in NODES:  # what waits goes on, and what is asked from now on is answered
            bed.exec(index, "rm", "-f", "/run/gate/held")
        code = terminal.end()
    finally:
        terminal.close()
    text = terminal.text
    assert "Traceback" not in text
    assert code == 130, text
    named = {run for run in anna.recorded() if run in text}
    with contextlib.suppress(TimeoutError):
        until(lambda: not ours(bed, before), f"nothing runs: {text}", 1 if named else 15)
    left = ours(bed, before)
    assert not left or named, (left, text)
    for run in named:
        stopped = anna.run("--yes", "runs", "stop", run)
        assert stopped.returncode == 0, stopped.stderr
        anna.run("runs", "attach", run)  # where its job has ended meanwhile
    until(lambda: not ours(bed, before), f"nothing runs: {ours(bed, before)} {text}", 20)
    for index in NODES:
        new = set(bed.containers(index)) - set(containers[index]) - ({"vllm_node"} if case.up else set())
        assert not new, text
        assert not marked(bed, index)
    assert not list(anna.temporary.iterdir())
