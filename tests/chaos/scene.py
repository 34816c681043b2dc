"""The place of a trial: two nodes, a person beside them, and a list of what has to be undone."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.chaos.console import Console
from tests.chaos.screen import Face, Screen
from tests.conftest import ROOT
from tests.real.conftest import Operator
from tests.testbed.testbed import Testbed, until

NODES = (1, 2)
STATE = ".local/state/sparkconsole"


class Person(Operator):
    """An operator whose console is the one of this checkout, in a folder for temporary files of its own."""

    @property
    def temporary(self) -> Path:
        """Where the console's temporary files are."""
        return self.home / "tmp"

    @property
    def state(self) -> Path:
        """The folder of the journal."""
        return self.home / STATE

    @property
    def environment(self) -> dict[str, str]:
        """As every operator's, and the sources beside these tests."""
        own = {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), "COLUMNS": "200"}
        return {**super().environment, **own}

    def recorded(self) -> set[str]:
        """The ids of the runs that lie in the journal."""
        return {path.stem for path in (self.state / "runs").glob("*.json")}

    def run_beside(self, known: set[str]) -> dict[str, Any]:
        """The first run that is none of these, as the console lists it; empty where there is none."""
        try:
            runs = self.ask("runs", "list", "--limit", "3")["runs"]
        except (AssertionError, KeyError, ValueError, subprocess.TimeoutExpired):
            return {}
        return next((dict(run) for run in reversed(runs) if run["id"] not in known), {})


@dataclass
class Scene:
    """Nodes and a person; `undo` is what ends the faults that were done."""

    bed: Testbed
    person: Person
    program: tuple[str, ...] = ("sparkconsole",)
    undo: ExitStack = field(default_factory=ExitStack)
    started: list[Face] = field(default_factory=list)
    """The consoles of this trial: the one under test, and a second one where the fault is one."""
    sound: bool = False
    """The last trial left the journal as it was: what stands on the nodes can be taken over."""
    noted: str = ""
    """What a verb's preparation keeps of how it was."""

    def name(self, index: int) -> str:
        """What the inventory calls a node."""
        return self.bed.places.node(index)

    def introduce(self) -> None:
        """The person knows the nodes and trusts their keys."""
        self.person.temporary.mkdir(parents=True, exist_ok=True)
        for index in NODES:
            self.must("node", "add", self.name(index), self.bed.places.address(index), "--user", "spark")
        self.must("--yes", "node", "trust")

    def start(self, *words: str) -> Console:
        """The console under test, or what a test put in its place."""
        console = Console(self.bed.operator_argv(*self.program, *words), self.person.environment)
        self.started.append(console)
        return console

    def open(self, *words: str) -> Screen:
        """The full-screen console, and the words typed into it; its plan is agreed to."""
        argv = self.bed.operator_argv(*self.program)
        screen = Screen(argv, self.person.environment, self.person.home)
        self.started.append(screen)
        screen.type(shlex.join(word for word in words if word != "--yes"))
        return screen

    def must(self, *words: str, timeout: float = 120) -> None:
        """A line of the console's that a trial builds upon; RuntimeError where it fails."""
        done = self.person.run(*words, timeout=timeout)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout[-500:]}{done.stderr[-500:]}")

    def shell(self, index: int, text: str, *, check: bool = False, timeout: float = 120) -> str:
        """A shell's line on a node, as root and past SSH."""
        return self.bed.exec(index, "sh", "-c", text, check=check, timeout=timeout)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Ends a fault by itself after a while; undoing waits for it."""
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        timer.start()
        self.undo.callback(timer.join)

    def over(self) -> None:
        """What was done is undone, on this machine too, and no console of a trial runs."""
        while self.started:
            self.started.pop().end()
        self.undo.close()

    def heal(self) -> None:
        """Every fault is over and both nodes answer."""
        self.undo.close()
        for index in NODES:
            self.bed.thaw(index)
            self.bed.boot(index)
            self.bed.rate(index, None)
        self.bed.plug_operator(up=True)

    def tidy(self) -> None:
        """As before any trial: nothing of a verb on the nodes, no temporary file here."""
        self.over()
        self.heal()
        self.bed.sweep()
        for index in NODES:
            self.shell(
                index, "docker image prune -f; rm -rf /run/chaos /home/spark/.local /home/spark/.cache"
            )
        self.freshen()

    def freshen(self) -> None:
        """No temporary file here; what stands on the nodes stays."""
        shutil.rmtree(self.person.temporary, ignore_errors=True)
        self.person.temporary.mkdir(parents=True)

    def start_sshd(self, index: int) -> None:
        """The node's sshd as its init starts it."""
        log = "/var/log/sshd.log"
        self.shell(index, f"setsid /usr/sbin/sshd -D -E {log} </dev/null >/dev/null 2>&1 &")
        until(partial(self._listens, index), f"sshd of {self.name(index)}", 20)

    def _listens(self, index: int) -> bool:
        return "22" in self.bed.listening(index)
