"""Faults: what is done to a node, to the console or to its journal, and how it is over again."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.record import Hits
from tests.chaos.scene import Scene
from tests.chaos.screen import Face
from tests.chaos.verb import Verb


@dataclass(frozen=True)
class Blow:
    """Whom a fault is done to; there is no console yet where the fault comes first."""

    scene: Scene
    verb: Verb
    console: Face | None

    @property
    def node(self) -> int:
        """The node that it is done to."""
        return self.verb.node


def nothing(_: Blow) -> None:
    """Is not done."""


@dataclass(frozen=True)
class Fault:
    """`before` is done when the verb has not begun, `strike` at its moment."""

    name: str
    hits: Hits
    strike: Callable[[Blow], object]
    before: Callable[[Blow], object] = nothing


# --- nodes


def _signalled(blow: Blow, pattern: str, number: str) -> None:
    found = (line.split()[0] for line in blow.scene.bed.processes(blow.node, pattern))
    if numbers := " ".join(found):
        blow.scene.shell(blow.node, f"kill {number} {numbers}")


def _sshd_gone(blow: Blow) -> None:
    _signalled(blow, r"^(/usr/sbin/)?sshd\b", "-9")


def _sshd_gone_for_good(blow: Blow) -> None:
    _sshd_gone(blow)
    blow.scene.undo.callback(lambda: blow.scene.start_sshd(blow.node))


def _sshd_restarted(blow: Blow) -> None:
    _sshd_gone(blow)
    blow.scene.later(5, lambda: blow.scene.start_sshd(blow.node))


_ENGINE = r"^(\S*/)?(dockerd|containerd) "


def _engine_killed(blow: Blow) -> None:
    """Its init starts it again after a second."""
    _signalled(blow, r"^(\S*/)?dockerd ", "-9")
    blow.scene.undo.callback(lambda: blow.scene.bed.wait_ready(blow.node))


def _engine_stopped(blow: Blow) -> None:
    """It accepts connections and answers nothing, for fifteen seconds."""
    _signalled(blow, _ENGINE, "-STOP")
    _over_after(blow, 15, lambda: _signalled(blow, _ENGINE, "-CONT"))


def _over_after(blow: Blow, seconds: float, over: Callable[[], object]) -> None:
    """It ends after that while, or, where it came before the verb, when the verb has ended."""
    if blow.console is None:
        blow.scene.undo.callback(over)
    else:
        blow.scene.later(seconds, over)


def _power(blow: Blow) -> None:
    blow.scene.bed.kill(blow.node)


def _power_and_boot(blow: Blow) -> None:
    blow.scene.bed.kill(blow.node)
    blow.scene.bed.boot(blow.node)


def _cut(*networks: str) -> Callable[[Blow], object]:
    return lambda blow: blow.scene.bed.cut(blow.node, *networks)


def _blip(seconds: float, *networks: str) -> Callable[[Blow], object]:
    def strike(blow: Blow) -> None:
        blow.scene.bed.cut(blow.node, *networks)
        blow.scene.later(seconds, lambda: blow.scene.bed.heal(blow.node, *networks))

    return strike


def _frozen(seconds: float) -> Callable[[Blow], object]:
    def strike(blow: Blow) -> None:
        blow.scene.bed.freeze(blow.node)
        _over_after(blow, seconds, lambda: blow.scene.bed.thaw(blow.node))

    return strike


def _operator_gone(seconds: float) -> Callable[[Blow], object]:
    """It is the operator's own network that fails: every node is lost at once, and none of them is ill."""

    def strike(blow: Blow) -> None:
        blow.scene.bed.plug_operator(up=False)
        _over_after(blow, seconds, lambda: blow.scene.bed.plug_operator(up=True))

    return strike


_FILLER = "/var/lib/docker/filler"


def _data_disk_full(blow: Blow) -> None:
    """Of the engine's own disk nothing is left; it is free again when the verb has ended."""
    fill = f"fallocate -l $(df --output=avail -B1 /var/lib/docker | tail -1) {_FILLER} || true"
    blow.scene.shell(blow.node, f"{fill}; cat /dev/zero >>{_FILLER}")
    blow.scene.undo.callback(lambda: blow.scene.shell(blow.node, f"rm -f {_FILLER}"))


def _killed_on(index: int, pattern: str) -> Callable[[Blow], object]:
    """A process in the container of that node is killed from outside."""

    def strike(blow: Blow) -> None:
        found = (line.split()[0] for line in blow.scene.bed.processes(index, pattern))
        if numbers := " ".join(found):
            blow.scene.shell(index, f"kill -9 {numbers}")

    return strike


def _container_removed(blow: Blow) -> None:
    blow.scene.shell(blow.node, "docker rm -f vllm_node", timeout=60)


# --- the console


def _sent(number: signal.Signals) -> Callable[[Blow], object]:
    def strike(blow: Blow) -> None:
        assert blow.console is not None, "a signal comes while the verb is under way"
        blow.console.signal(number)

    return strike


def _second_console(blow: Blow) -> None:
    blow.scene.start(*blow.verb.words(blow.scene))


def _another(*words: str) -> Callable[[Blow], object]:
    """Of the same person, in another terminal."""
    return lambda blow: blow.scene.start("--yes", *words)


def _hung_up(blow: Blow) -> None:
    """Its terminal is closed."""
    assert blow.console is not None, "a terminal is closed while the verb is under way"
    blow.console.hang_up()


# --- the journal


def _on_a_small_disk(blow: Blow) -> None:
    """The journal is on a file system of its own, with what it held."""
    folder = blow.scene.person.state
    folder.mkdir(parents=True, exist_ok=True)
    kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    _mount("-t", "tmpfs", "-o", "size=128k", "small", str(folder))
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    blow.scene.undo.callback(lambda: subprocess.run(("umount", "-l", str(folder)), check=True, timeout=60))


def _full(blow: Blow) -> None:
    with contextlib.suppress(OSError), (blow.scene.person.state / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"\0" * 512)


def _read_only(blow: Blow) -> None:
    _mount("-o", "remount,ro", str(blow.scene.person.state))


def _removed(blow: Blow) -> None:
    shutil.rmtree(blow.scene.person.state, ignore_errors=True)


def _mount(*words: str) -> None:
    subprocess.run(("mount", *words), check=True, timeout=60)


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("nothing", Hits.NOTHING, nothing),
        Fault("session killed", Hits.NODE, lambda b: _signalled(b, r"^sshd(-session)?: spark", "-9")),
        Fault("sshd gone", Hits.NODE, _sshd_gone_for_good),
        Fault("sshd restarted", Hits.NODE, _sshd_restarted),
        Fault("engine killed", Hits.NODE, _engine_killed),
        Fault("engine stopped", Hits.NODE, _engine_stopped),
        Fault("power", Hits.NODE, _power),
        Fault("power and boot", Hits.NODE, _power_and_boot),
        Fault("management cut", Hits.NODE, _cut("mgmt")),
        Fault("management blip", Hits.NODE, _blip(8, "mgmt")),
        Fault("fabric cut", Hits.NODE, _cut("fab", "fab2")),
        Fault("fabric blip", Hits.NODE, _blip(5, "fab", "fab2")),
        Fault("frozen for 10 s", Hits.NODE, _frozen(10)),
        Fault("frozen for 30 s", Hits.NODE, _frozen(30)),
        Fault("operator gone for 20 s", Hits.NODE, _operator_gone(20)),
        Fault("operator gone for 60 s", Hits.NODE, _operator_gone(60)),
        Fault("data disk full", Hits.NODE, _data_disk_full),
        Fault("GCS killed", Hits.NODE, _killed_on(1, r"gcs_server")),
        Fault("raylet killed", Hits.NODE, _killed_on(2, r"raylet/raylet")),
        Fault("container removed", Hits.NODE, _container_removed),
        Fault("server killed", Hits.NODE, _killed_on(1, r"[v]llm serve|VLLM::|EngineCore")),
        Fault("ctrl-c", Hits.CONSOLE, _sent(signal.SIGINT)),
        Fault("terminated", Hits.CONSOLE, _sent(signal.SIGTERM)),
        Fault("hung up", Hits.CONSOLE, _hung_up),
        Fault("killed", Hits.CONSOLE, _sent(signal.SIGKILL)),
        Fault("two consoles", Hits.NOTHING, _second_console),
        Fault("another stops all", Hits.OTHER, _another("stop")),
        Fault("another stops the server", Hits.OTHER, _another("serve", "stop")),
        Fault("journal full", Hits.JOURNAL, _full, _on_a_small_disk),
        Fault("journal read-only", Hits.JOURNAL, _read_only, _on_a_small_disk),
        Fault("journal removed", Hits.JOURNAL, _removed),
    )
}
