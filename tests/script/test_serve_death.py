"""A server whose engine died answers on for minutes: no verb calls it ready, each says what ended it."""

from __future__ import annotations

import re

import pytest

from tests.script.test_demo import UP, Console, console

__all__ = ["console"]

SERVE = "serve openai/gpt-oss-120b --max-model-len 8192"
DEAD = "demo fault spark-02 engine-dead"


@pytest.mark.parametrize("word", ["serve status", "status", "check", "doctor engine"])
def test_no_word_calls_a_server_ready_whose_engine_died(console: Console, word: str) -> None:
    assert console.script(*UP, SERVE, word) == 0, console.err
    assert "its engine died" not in console.out + console.err
    assert console.script(*UP, SERVE, DEAD, word) == 1
    said = re.sub(r"\s+", " ", console.out + console.err)
    assert "its engine died: “ray.exceptions.ActorDiedError: The actor died" in said
    assert "ready: port" not in said


def test_the_same_model_is_not_said_to_be_served_already(console: Console) -> None:
    assert console.script(*UP, SERVE, DEAD, SERVE) == 4
    assert "gives no token any more: its engine died" in re.sub(r"\s+", " ", console.err)
    assert "sparkconsole serve stop, then serve again" in re.sub(r"\s+", " ", console.err)
