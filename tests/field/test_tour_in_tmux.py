"""The README's tour by keys alone in a real terminal of 80x24, at the pace of a person who reads.

What is not shown: real machines; the cluster is pretend, the terminal, the program and its clock are not.
"""

from __future__ import annotations

from pathlib import Path

from tests.field.test_bursts import Tmux, pytestmark, tmux
from tests.tui.test_tour import tour

AGREES = "ctrl+j"
NAMED = {"ctrl+j": "C-j", "down": "Down"}
READ = {
    "C": "C copies it there",
    "1": "4 ^j launches it",
    "5": "ray 2/2",
    "V": "vllm serve",
    AGREES: "^j benchmarks",
}
"""What stands on the screen when a person presses that key: the deed before has ended. By the first time."""
ENDS = "no container"
PATIENCE_S = 240.0

__all__ = ["pytestmark", "tmux"]


def agree(tmux: Tmux) -> None:
    """A key that comes with the first picture is too early to be an answer: then it is pressed again."""
    for _ in range(5):
        tmux.send(NAMED[AGREES])
        if tmux.went("Cancel  esc", 2.0):
            return
    tmux.shows_no("Cancel  esc", 0)


def test_the_readmes_tour_by_keys_alone(tmux: Tmux, tmp_path: Path) -> None:
    waiting = dict(READ)
    for key in tour():
        tmux.shows(waiting.pop(key, "2/2 up"), PATIENCE_S)
        tmux.send(NAMED.get(key, key))
        if key.isdigit():
            tmux.shows(f"[{key} ")
        elif key != "down":
            tmux.shows("Cancel  esc")
            agree(tmux)
            if key == AGREES:
                tmux.shows("✔ done ·", PATIENCE_S)
    tmux.shows(ENDS, PATIENCE_S)
