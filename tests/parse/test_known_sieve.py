"""The words by which most of the catalogue is left out are those that a line must have to be known."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.model.text.literals import needed
from sparkconsole.parse.diagnose.line import lookup
from sparkconsole.parse.diagnose.log_frame import framed
from sparkconsole.parse.known import KNOWN, KnownCause
from tests.parse.public_kinds import KINDS
from tests.parse.test_explain_families import FAMILIES

OURS = [
    *(k.example for k in KNOWN),
    *(line for lines in (*FAMILIES.values(), *KINDS.values()) for line in lines),
]


def first_of_all(text: str) -> str:
    return next((k.id for k in KNOWN if k.pattern.search(text)), "")


def found(text: str) -> str:
    known, _ = lookup(text)
    return known.id if known else ""


@pytest.mark.parametrize("line", OURS)
def test_a_line_is_known_as_if_every_entry_had_been_tried(line: str) -> None:
    text = framed(line).text
    assert found(text) == first_of_all(text)


@pytest.mark.parametrize(
    "folder", ["nccl", "ray", "vllm", "vllm-serve", "vllm-errors", "docker", "host", "reports"]
)
def test_so_are_the_lines_of_real_logs(captures_of_others: Path, folder: str) -> None:
    files = sorted(p for p in (captures_of_others / folder).iterdir() if p.is_file())
    lines = dict.fromkeys(line[:4000] for p in files for line in p.read_text(errors="replace").splitlines())
    assert {t: found(t) for t in lines} == {t: first_of_all(t) for t in lines}


def test_nearly_every_entry_demands_a_word() -> None:
    assert len([k.id for k in KNOWN if not needed(k.pattern)]) <= 4


@pytest.mark.parametrize("known", KNOWN, ids=lambda k: k.id)
def test_an_entry_demands_words_that_its_own_example_has(known: KnownCause) -> None:

    words = needed(known.pattern)
    assert not words or any(word in known.example for word in words)
