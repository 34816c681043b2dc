"""How long a person waits: `--version`, `--help` and the first frame, beside an empty Textual app."""

from __future__ import annotations

import sys

from tests.bench.table import cpu_of, show

EMPTY = """
from textual.app import App
class Empty(App):
    def on_ready(self): self.exit()
Empty().run(headless=True, size=(120, 40))
"""
CONSOLE = """
from sparkconsole.config.globals import Options
from sparkconsole.tui.app import Console
class Timed(Console):
    def _begin(self): self.exit()  # the first frame stands, and connecting would begin
Timed(Options(demo=2)).run(headless=True, size=(120, 40))
"""
BUDGET_S = {"--version": 0.06, "--help": 0.25, "first frame": 0.5}


def main() -> None:
    """Five runs each, one table."""
    python = sys.executable
    empty, _ = cpu_of((python, "-c", EMPTY))
    ways = {
        "--version": (python, "-m", "sparkconsole", "--version"),
        "--help": (python, "-m", "sparkconsole", "serve", "--help"),
        "first frame": (python, "-c", CONSOLE),
    }
    rows = [("empty Textual app", f"{empty:.3f}", "", "1.0", "")]
    for name, argv in ways.items():
        cpu, wall = cpu_of(argv)
        rows.append((name, f"{cpu:.3f}", f"{wall:.3f}", f"{cpu / empty:.2f}", f"{BUDGET_S[name]:.2f}"))
    show("start, CPU seconds", ("what", "CPU s", "wall s", "x empty app", "budget s"), rows)


if __name__ == "__main__":
    main()
