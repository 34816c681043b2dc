"""Chunks become lines, however they are cut; no machine fills our memory with one that never ends."""

from __future__ import annotations

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
