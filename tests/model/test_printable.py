"""Escape sequences leave a text, however they are nested and whether they end or not."""

from __future__ import annotations

import pytest

from sparkconsole.model.text.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;a\x1bcb\x07after", "after"),
        ("\x1bP1$r0m\x1b\\after", "after"),
        ("\x1b]0;never ends", "0;never ends"),
        ("\x1b]0;one\x1b]0;two\x07after", "0;oneafter"),
        ("\x1b]0;not over\nlines\x07", "0;not over\nlines"),
        ("\x1b[1;31mred\x1b[0m", "red"),
    ],
)
def test_what_a_terminal_would_take_as_orders_is_left_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_signs_without_a_width_and_turned_text_are_left_out() -> None:
    assert printable("ready\u202edeliaf\u200b \u2066x\u2069\ufeff\u2028y") == "readydeliaf xy"
    assert printable("👩\u200d🚀 می\u200cخواهم") == "👩\u200d🚀 می\u200cخواهم", "these join what is written"


def test_strings_that_never_end_are_left_out_one_by_one() -> None:
    assert printable("\x1b]a" * 20_000) == "a" * 20_000
