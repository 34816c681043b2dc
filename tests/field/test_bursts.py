"""Keys that arrive together, in a real terminal: tmux writes each burst in one piece."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.field.places import REQUIRED
from tests.testbed.waiting import until

pytestmark = pytest.mark.field


class Tmux:
    """A terminal of 80x24 with the console in it."""

    def __init__(self, home: Path, **exported: str) -> None:
        self._at = ["tmux", "-S", str(home / "tmux"), "-f", "/dev/null"]
        program = f"{Path(sys.executable).parent / 'sparkconsole'} --demo"
        env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **exported}
        subprocess.run([*self._at, "new-session", "-d", "-x", "80", "-y", "24", program], check=True, env=env)

    def send(self, *keys: str) -> None:
        """In one burst."""
        subprocess.run([*self._at, "send-keys", *keys], check=True)

    def screen(self) -> str:
        told = subprocess.run([*self._at, "capture-pane", "-p"], capture_output=True, text=True, check=False)
        return told.stdout

    def shows(self, text: str, most_s: float = 15.0) -> None:
        self._until(lambda screen: text in screen, f"{text!r} never came", most_s)

    def shows_no(self, text: str, most_s: float) -> None:
        self._until(lambda screen: text not in screen, f"{text!r} never went", most_s)

    def went(self, text: str, most_s: float) -> bool:
        """Whether it is gone within that time."""
        with contextlib.suppress(TimeoutError):
            until(lambda: text not in self.screen(), text, most_s)
        return text not in self.screen()

    def _until(self, so: Callable[[str], bool], otherwise: str, most_s: float) -> None:
        try:
            until(lambda: so(self.screen()), otherwise, most_s)
        except TimeoutError:
            pytest.fail(f"{otherwise}:\n{self.screen()}")

    def resize(self, columns: int, lines: int) -> None:
        """As a person pulls its window."""
        size = ["-x", str(columns), "-y", str(lines)]
        subprocess.run([*self._at, "resize-window", *size], check=True)

    def until_framed(self, columns: int, lines: int) -> None:
        """The top line ends with the clock at the right edge, and the keys stand in the last line."""

        def framed(screen: str) -> bool:
            rows = screen.split("\n")[:lines]
            return len(rows[0].rstrip()) >= columns - 2 and "? help" in rows[-1]

        self._until(framed, f"the screen does not fill {columns}x{lines}", 15)

    def ends(self, most_s: float = 15.0) -> None:
        """The program has, and its only window with it."""
        until(lambda: not self.screen(), "the console ends", most_s)

    def end(self) -> None:
        subprocess.run([*self._at, "kill-server"], check=False)


def _require_tmux() -> None:
    if shutil.which("tmux") is None:
        assert "tmux" not in REQUIRED, "SPARKCONSOLE_REQUIRE_FIELD wants tmux"
        pytest.skip("tmux is not installed")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    _require_tmux()
    terminal = Tmux(tmp_path)
    try:
        terminal.shows("spark-02")
        yield terminal
    finally:
        terminal.end()


@pytest.mark.parametrize(
    "exported",
    [
        {"COLUMNS": "200", "LINES": "60"}, {"COLUMNS": "40"}, {"LINES": "9"}, {"COLUMNS": "²", "LINES": "x"},
        {"TEXTUAL_COLOR_SYSTEM": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_the_terminal_says_how_large_it_is(tmp_path: Path, exported: dict[str, str]) -> None:
    """A shell that exports its size once does not know what became of the terminal."""
    _require_tmux()
    terminal = Tmux(tmp_path, **exported)
    try:
        terminal.shows("2/2 up")
        terminal.resize(100, 30)
        terminal.until_framed(100, 30)
    finally:
        terminal.end()


FROM = {
    "": "2/2 up",
    "?": "keys ·",
    ":status": "esc close",
    ":image build": "Cancel  esc",
    ":sta": "",
    "/sp": "",
}


@pytest.mark.parametrize("typed", FROM)
def test_ctrl_q_ends_it_from_wherever_one_is(tmux: Tmux, typed: str) -> None:
    """As its own help says: no window, question or line is only closed by it."""
    tmux.send(*([typed, "Enter"] if " " in typed or typed == ":status" else [typed] if typed else []))
    tmux.shows(FROM[typed])
    tmux.send("C-q")
    tmux.ends()


def test_ctrl_q_asks_nothing_while_work_is_under_way(tmux: Tmux) -> None:
    """Nor is it lost where it comes in one breath with the key that opened a question."""
    tmux.send(":image build --yes", "Enter")
    tmux.shows("▶ image")
    tmux.send("q", "C-q")
    tmux.ends()


def test_a_hundred_lines_and_a_hundred_filters_arrive_whole_in_a_real_terminal(tmux: Tmux) -> None:
    """Not shown: an esc that other keys follow within 0.1 s; a terminal writes alt in the same way."""
    for number in range(100):
        tmux.send(str(number % 8 + 1), f":Line {number} of LUDRBCVX", "Enter")
        tmux.shows(f"\n Line {number} of LUDRBCVX\n")
        tmux.send("Escape")
    for number in range(100):
        tmux.send(str(number % 8 + 1), f"/Filter {number} LUDRBCVX")
        tmux.shows(f"\n Filter {number} LUDRBCVX\n")
        tmux.send("Enter")
