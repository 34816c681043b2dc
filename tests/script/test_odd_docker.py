"""An engine that answers as no engine does is that node's trouble: named, and never called our defect."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sparkconsole import cli
from sparkconsole.errors import UNSEEN, OddEngine, SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.parse.machine.site import parse_site
from sparkconsole.remote.shell import Shell
from tests.pretend_nodes import PretendCluster

ODD = {
    "no JSON": "hello",
    "an object": '{"a": 1}',
    "a row without its parts": '[{"Name": "/vllm_node"}]',
    "parts that are none": '[{"Name": "/vllm_node", "State": null, "Config": 7}]',
    "numbers": "[1, 2]",
    "nothing in a row": "[{}]",
    "rows of a list": '[{"Id": 5, "Names": "x", "Image": null, "State": ["a"]}, 7, null, []]',
    "a name that is none": '[{"Id": "a", "Name": 5}]',
    "deep": "[" * 5000,
    "half": '[{"Name": "/vllm_node", "State": {"Run',
}
WORDS = (
    "stop",
    "launch",
    "node restart here",
    "serve stop",
    "serve status",
    "image list",
    "doctor",
    "status",
)


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_what_cannot_be_read_is_said_of_that_node(answer: str) -> None:
    with pytest.raises(SparkError, match="what docker answered cannot be read") as caught:
        parse_site(f"home /home/spark\navailable 1\ndocker 0\n{answer}\n", "spark1", "vllm_node")
    assert (caught.value.node, caught.value.hint) == ("spark1", "look at it there: docker inspect vllm_node")


def test_what_dockers_own_client_cannot_take_is_no_absence_either() -> None:
    said = "[]\njson: cannot unmarshal array into Go value of type container.InspectResponse"
    with pytest.raises(OddEngine, match="what docker answered cannot be read"):
        parse_site(f"home /home/spark\navailable 1\ndocker 1\n{said}\n", "spark1", "vllm_node")


async def test_an_answer_that_nobody_can_read_leaves_the_other_nodes_theirs() -> None:
    async def question(shell: Shell) -> int:
        return {"spark1": 1}[shell.node]

    async with PretendCluster("spark1", "spark2").fleet() as fleet:
        answers = await asked(fleet, question)
    assert answers["spark1"] == 1
    error = answers["spark2"]
    assert isinstance(error, SparkError)
    assert error.node == "spark2"
    assert "one of its answers cannot be read: KeyError: 'spark2'" in error.cause


async def asked(fleet: Fleet, question: object) -> dict[str, object]:
    return dict(await fleet.ask(question))  # type: ignore[arg-type]


@pytest.mark.programs
@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_no_verb_calls_it_a_defect_of_ours(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docker").write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    file = tmp_path / "cluster.toml"
    file.write_text('[clusters.me]\nnodes = [{ name = "here", address = "127.0.0.1", local = true }]\n')
    for words in WORDS:
        code = cli.run(["--config", str(file), "--dry-run", *words.split()])
        said = "".join(capsys.readouterr())
        assert "defect" not in said, (words, said)
        assert "Traceback" not in said, (words, said)
        assert code != 0 or words == "image list", (words, said)
        if words == "status":
            assert code == UNSEEN, said
            assert "vllm_node unknown" in said
            assert "Ray: unknown" in said
