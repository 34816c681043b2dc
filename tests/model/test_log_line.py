"""A log's line is safe to show, whatever a machine printed, and says how bad it is."""

from __future__ import annotations

import pytest

from sparkconsole.model.logs.line import LONGEST, Level, level_of, log_line, normalised
from sparkconsole.model.text.units import moment


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("[/x] stays [red]text[/red]", "[/x] stays [red]text[/red]"),
        ("10%\r50%\r100%\r\n", "100%"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;aGFja2Vk\x1b\\copied?", "copied?"),
        ("\x1b[?25lno cursor", "no cursor"),
        ("\x1b[>4;2mkeys", "keys"),
        ("a\x00b\x07c\x9bd", "abcd"),
        ("a\tb", "a       b"),
        ("\x1b", ""),
        ("宽字符 é", "宽字符 é"),
        ('\x1b[34m"password"\x1b[0m: \x1b[32m"abc"\x1b[0m', '"password": ***'),
        ("login with hf_aBcDeFgHiJkL", "login with ***"),
    ],
)
def test_only_colours_are_left_of_what_a_terminal_would_obey(raw: str, shown: str) -> None:
    assert normalised(raw) == shown


def test_a_line_of_ten_megabytes_is_cut_and_says_so() -> None:
    text = normalised("x" * 10_000_000)
    assert len(text) < LONGEST + 50
    assert f"({10_000_000 - LONGEST} more characters)" in text


def test_a_secret_at_the_cut_is_hidden_whole() -> None:
    text = normalised("x" * (LONGEST - 12) + " HF_TOKEN=hf_aBcDeFgHiJkL and more")
    assert "hf_" not in text


@pytest.mark.parametrize(
    ("text", "level"),
    [
        (
            "INFO 01-31 12:00:00 [loggers.py:127] Engine 000: Avg prompt throughput: 812.0 tokens/s",
            Level.INFO,
        ),
        (
            "(EngineCore_0 pid=311) ERROR 01-31 12:00:00 [core.py:700] EngineCore failed to start.",
            Level.ERROR,
        ),
        ("ValueError: too long", Level.ERROR),
        ("torch.OutOfMemoryError: CUDA out of memory.", Level.ERROR),
        ("Traceback (most recent call last):", Level.ERROR),
        ("2026-01-31 12:00:00,123\tWARNING services.py:2070 -- Object store is full", Level.WARNING),
        ("spark-01:311:402 [0] NCCL WARN NET/IB : Got async event : port error", Level.WARNING),
        ("spark-01:311:402 [0] NCCL INFO Using network IB", Level.INFO),
        ("NVRM: Xid (PCI:000f:01:00): 79, GPU has fallen off the bus.", Level.ERROR),
        ("DEBUG 01-31 12:00:00 x", Level.DEBUG),
        ("the word error in a sentence is no error", Level.INFO),
    ],
)
def test_the_level_is_what_the_tool_says(text: str, level: Level) -> None:
    assert level_of(text) is level


ENDS = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"
)  # fmt: skip


def test_colours_hide_no_level() -> None:
    assert log_line("\x1b[36m(Worker pid=1)\x1b[0m \x1b[31mERROR\x1b[0m died").level is Level.ERROR


@pytest.mark.parametrize("text", ["", "yesterday", "12:00", *ENDS])
def test_a_time_that_is_none_is_none(text: str) -> None:
    """Docker's zero time too: west of Greenwich it lies before the calendar."""
    assert moment(text) is None


def test_nanoseconds_and_zones_are_read() -> None:
    assert moment("2026-01-31T12:00:00.123456789Z") == moment("2026-01-31T13:00:00.123456+01:00")
    assert moment("2026-01-31T12:00:00") == moment("2026-01-31T12:00:00Z")
