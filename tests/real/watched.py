"""A watcher at the operator's machine while a test breaks things: what it said, and how soon."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.real.conftest import Operator
from tests.testbed.testbed import until

NOTICED_S = 40
"""A dead worker is noticed in 20 s: that is what is asked for, and twice that where another cluster's tests
run on the same two cores. The bounds of the waits are generous."""
Said = dict[str, Any]


@dataclass
class Watcher:
    """`said` grows while it lives."""

    said: list[Said] = field(default_factory=list)

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.said.append(json.loads(line))

    def saw(self, true: Callable[[Said], object], what: str, timeout: float) -> Said:
        """The first such line, waiting for it."""
        try:
            until(lambda: any(true(s) for s in list(self.said)), what, timeout)
        except TimeoutError as error:
            raise AssertionError(f"{what}: never; it said {self.said}") from error
        return next(s for s in self.said if true(s))

    def server(self, phase: str, suspect: str = "", timeout: float = 60) -> str:
        """What it says of the server once that stands so, newer than all that was said when it was asked."""
        since = len(self.said) - 1

        def wanted(said: Said) -> bool:
            return said["source"] == "server" and (said["phase"], said["suspect"]) == (phase, suspect)

        try:
            until(lambda: any(map(wanted, self.said[max(0, since) :])), f"{phase} {suspect}", timeout)
        except TimeoutError as error:
            raise AssertionError(f"the server is never {phase} {suspect}: {self.said}") from error
        return str([s for s in self.said if wanted(s)][-1]["text"])

    def event(self, node: str, words: str, timeout: float = 30) -> str:
        """The event of a node that has these words."""
        return str(
            self.saw(lambda s: s["source"] == node and words in s["text"], f"{node}: {words}", timeout)[
                "text"
            ]
        )


@contextmanager
def watching(operator: Operator) -> Iterator[Watcher]:
    """A watch of both nodes, from the operator's network."""
    watcher = Watcher()
    argv = operator.bed.operator_argv(sys.executable, str(Path(__file__).with_name("watcher.py")))
    with subprocess.Popen(
        argv, env=operator.environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        reader = threading.Thread(target=watcher.read, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            yield watcher
        finally:
            process.terminate()
            process.wait(20)
            reader.join(10)
