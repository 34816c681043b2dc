"""A node to which ssh's own configuration leads no way was not reached: every word says so the same way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparkconsole.cli import run
from tests.programs import need

pytestmark = pytest.mark.programs

LOOKS = [
    "status",
    "check",
    "doctor",
    "node list --check",
    "stop --yes",
    "serve status",
    "logs",
    "node exec -- ls",
]


@pytest.fixture(params=["  Bogus yes\n", "  IdentityFile ~/.ssh/%Q\n"], ids=["ssh refuses it", "we cannot"])
def told(request: pytest.FixtureRequest) -> str:
    need("ssh")
    (Path.home() / ".ssh").mkdir()
    (Path.home() / ".ssh/config").write_text(f"Host far\n{request.param}")
    kept = Path.home() / ".config/sparkconsole/cluster.toml"
    kept.parent.mkdir(parents=True)
    kept.write_text('[clusters.c]\nnodes = [{name = "a", address = "far"}]\n')
    return request.param.split()[-1]


@pytest.mark.parametrize("words", LOOKS)
def test_its_state_is_unknown_and_the_exit_code_says_that_it_was_not_reached(
    told: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words.split()) == 3
    said = "".join(capsys.readouterr())
    assert "ssh" in said
    assert "not running" not in said
    assert "failed " not in said.replace("1 failed, ", "")


def test_json_says_that_it_is_the_configuration(told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "launch", "--yes"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["node"], error["kind"]) == ("a", "UnusableLogin")
