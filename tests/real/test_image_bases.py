"""A build on real engines begins with what its plan showed, whatever the registry does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.real.conftest import Operator
from tests.testbed.testbed import Testbed, until

PORT, TAG = 5077, "based"
NAME = f"127.0.0.1:{PORT}/base:1"
ONLY_IT = "FROM scratch\nCOPY --from=it /text /text\n"
HELD = f"ARG BASE={NAME}\nFROM ${{BASE}} AS it\n{ONLY_IT}"
LITERAL = f"FROM {NAME} AS it\n{ONLY_IT}"
AS_IT_IS = "{{json .Config.Labels}} {{json .RootFS.Layers}}"


@pytest.fixture(scope="module", params=["", "forky graph", "forky containerd"])
def engine(request: pytest.FixtureRequest, bed: Testbed, operator: Operator) -> Iterator[str]:
    """The machine's own, with BuildKit in its client; a newer one, which the same client builds with."""
    suite, _, store = request.param.partition(" ")
    if suite:
        bed.use_engine(2, suite, containerd=store == "containerd")
    yield request.param
    if suite:
        bed.use_engine(2)


@pytest.fixture(scope="module", autouse=True)
def registry(bed: Testbed, engine: str) -> Iterator[None]:
    """On node 2 itself, for whose engine its own loopback needs no certificate."""
    source = (ROOT / "tests" / "real" / "registry.py").read_bytes()
    bed.exec(2, "sh", "-c", "mkdir -p /run/registry/base; cat >/run/registry.py", stdin=source)
    started = f"setsid python3 /run/registry.py /run/registry {PORT} >/dev/null 2>&1 </dev/null & echo $!"
    pid = bed.exec(2, "sh", "-c", started).strip()
    until(lambda: str(PORT) in bed.listening(2), "the registry listens", 20)
    yield
    bed.exec(2, "kill", pid, check=False)
    bed.exec(2, "rm", "-rf", "/run/registry", "/run/registry.py")


@pytest.fixture(autouse=True)
def nothing_there(bed: Testbed) -> None:
    """Neither the image nor what it is made from."""
    for name in (TAG, NAME, "local:1"):
        bed.exec(2, "docker", "rmi", "-f", name, check=False)


def put(bed: Testbed, text: str, *, following: str = "") -> None:
    """What the registry has, and what it has once somebody has looked."""
    for name, content in (("1", text), ("1.next", following)):
        if content:
            bed.exec(2, "sh", "-c", f"cat >/run/registry/base/{name}", stdin=content.encode())


def built(operator: Operator, folder: Path, text: str, *options: str) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(text)
    words = ("image", "build", "--recipe", str(folder), "-t", TAG, "--on", "spark2", "--least-free", "0")
    return operator.ask(*options, *words, timeout=600)


def text_in(bed: Testbed) -> str:
    container = bed.exec(2, "docker", "create", TAG, "x").strip()
    text = bed.exec(2, "sh", "-c", f"docker cp {container}:/text - | tar -xO")
    bed.exec(2, "docker", "rm", container)
    return text.strip()


def notes(answer: dict[str, Any]) -> list[str]:
    return [note for note in answer["plan"]["notes"] if note.startswith("base ")]


def newest(operator: Operator) -> dict[str, Any]:
    return operator.newest_runs(1)[0]


def test_what_was_shown_is_built_although_the_tag_moved_on(
    bed: Testbed, operator: Operator, tmp_path: Path
) -> None:
    put(bed, "one", following="two")
    answer = built(operator, tmp_path / "r", HELD, "--yes")
    assert text_in(bed) == "one"
    (base,) = answer["bases"]
    assert (base["name"], base["check"]) == (NAME, "equal")
    assert base["shown"].startswith("sha256:")
    assert f"base {NAME} is {base['shown']}, read on spark2 from its registry" in notes(newest(operator))
    said = bed.exec(2, "docker", "image", "inspect", "--format", AS_IT_IS, TAG)
    assert f'"org.sparkconsole.base":"{NAME}@{base["shown"]}"' in said
    history = bed.exec(2, "docker", "history", "--no-trunc", "--format", "{{.CreatedBy}}", TAG)
    assert "CACHEBUST" not in history


def test_a_dry_run_reads_it_too_and_pulls_nothing(bed: Testbed, operator: Operator, tmp_path: Path) -> None:
    put(bed, "dry")
    answer = built(operator, tmp_path / "r", HELD, "--dry-run")
    (note,) = notes(answer)
    assert note.endswith("read on spark2 from its registry")
    assert NAME not in bed.exec(2, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}")


def test_a_name_that_is_written_out_and_moves_on_is_told(
    bed: Testbed, operator: Operator, tmp_path: Path
) -> None:
    put(bed, "three", following="four")
    answer = built(operator, tmp_path / "r", LITERAL, "--yes")
    assert text_in(bed) == "four", "it is not rewritten"
    (base,) = answer["bases"]
    assert base["check"] == "different"
    assert base["used"].startswith("sha256:")
    assert base["used"] != base["shown"]


def test_what_is_there_is_taken_by_the_builders_that_ask_nobody(
    bed: Testbed, operator: Operator, engine: str, tmp_path: Path
) -> None:
    """The client of 20.10 with an engine that keeps images as containerd does asks the registry first."""
    put(bed, "five")
    bed.exec(2, "docker", "pull", NAME)
    put(bed, "six")
    answer = built(operator, tmp_path / "r", HELD, "--yes")
    asks = engine == "forky containerd"
    assert text_in(bed) == ("six" if asks else "five")
    assert answer["bases"][0]["check"] == "equal"
    assert ("read on spark2 from its registry" if asks else "local on spark2") in notes(newest(operator))[0]
    bed.exec(2, "docker", "tag", NAME, "local:1")
    bed.exec(2, "docker", "rmi", NAME)
    answer = built(operator, tmp_path / "r", HELD.replace(NAME, "local:1"), "--yes")
    assert text_in(bed) == "five"
    assert answer["bases"][0]["check"] == "equal"
    assert "base local:1 is " in notes(newest(operator))[0]


def test_what_nobody_has_is_a_warning_and_then_the_builds_own_error(
    bed: Testbed, operator: Operator, tmp_path: Path
) -> None:
    text = HELD.replace(NAME, f"127.0.0.1:{PORT}/base:none")
    answer = built(operator, tmp_path / "r", text, "--dry-run")
    (note,) = notes(answer)
    assert "its digest could not be read: " in note
    assert note.endswith("; built from the tag")
