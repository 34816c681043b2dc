"""Chunks become lines, however they are cut; no machine fills our memory with one that never ends."""

from __future__ import annotations

import pytest

from sparkconsole.remote.lines import LONGEST_LINE, LineReader


def test_a_line_without_an_end_is_cut() -> None:
    reader, lines = LineReader(), list[str]()
    for _ in range(50):
        lines += reader.feed(b"x" * 65_536)
    lines += reader.feed(b"", final=True)
    assert sum(map(len, lines)) == 50 * 65_536, "nothing is lost"
    assert max(map(len, lines)) <= LONGEST_LINE + 65_536
    assert len(lines) > 1


def test_half_a_character_waits_for_its_other_half() -> None:
    reader = LineReader()
    assert reader.feed("é".encode()[:1]) == []
    assert reader.feed("é".encode()[1:] + b"\r\nx") == ["é"]
    assert reader.feed(b"", final=True) == ["x"]


@pytest.mark.parametrize("size", [1, 7, 64, 65_536])
def test_however_it_is_cut_the_lines_are_the_same(size: int) -> None:
    text = b"one\r\ntwo\rthree\n\n" + b"x" * 1000 + "\nfünf\n".encode() + b"rest"
    reader = LineReader()
    lines = [line for at in range(0, len(text), size) for line in reader.feed(text[at : at + size])]
    lines += reader.feed(b"", final=True)
    assert lines == ["one", "two", "three", "x" * 1000, "fünf", "rest"]


def test_an_unfinished_line_costs_what_comes_and_not_what_came() -> None:
    """As much work again for as many bytes again: characters that are split and copied, counted."""

    class Counted(LineReader):
        copied = 0

        def _taken(self) -> str:
            line = super()._taken()
            self.copied += len(line)
            return line

    reader = Counted()
    for _ in range(100_000):
        reader.feed(b"x" * 64)
    reader.feed(b"", final=True)
    assert reader.copied == 6_400_000
