"""Faults in the middle of real verbs, and the console's words held against what the nodes say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.draw import Draw, named
from tests.chaos.judge import Kind, judge
from tests.chaos.nodes import scene_on
from tests.chaos.scene import Scene
from tests.chaos.trial import tried
from tests.real.conftest import require_machine

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("chaos")]
SEED = 7
TRIALS = named(
    SEED,
    (
        ("node exec", "session killed"), ("node exec", "management blip"), ("node exec, long", "ctrl-c"),
        ("node exec, long", "hung up"), ("status", "engine stopped"), ("image copy", "engine killed"),
        ("image copy", "killed"), ("model copy", "power"), ("model copy", "journal full"),
        ("model copy", "two consoles"), ("image build", "journal read-only"), ("stop", "journal removed"),
        ("status", "sshd gone"), ("on the screen: image copy", "power and boot"),
        ("on the screen: model copy", "management blip"), ("on the screen: stop", "hung up"),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two nodes for the trials of this file."""
    require_machine()
    with scene_on("chaos", tmp_path_factory.mktemp("chaos") / "home") as scene:
        yield scene


@pytest.mark.parametrize("draw", TRIALS, ids=lambda draw: f"{draw.verb}, {draw.fault}")
def test_what_is_said_is_so(scene: Scene, draw: Draw) -> None:
    record = tried(scene, draw)
    verdict = judge(record)
    assert verdict.kind is Kind.RIGHT, f"{draw}: {verdict}\n{record.text}"


def test_a_console_that_lies_is_found(scene: Scene, tmp_path: Path) -> None:
    """What takes the console's place says done at once, and copies nothing."""
    lie = tmp_path / "lie"
    lie.write_text("#!/bin/sh\necho 'copied: done'\n")
    lie.chmod(0o755)
    honest, scene.program = scene.program, (str(lie),)
    try:
        verdict = judge(tried(scene, Draw(SEED, 0, "model copy", "nothing", 0.0)))
    finally:
        scene.program = honest
    assert verdict.kind is Kind.WRONG
    assert "exit 0, and the nodes say that it is not so" in verdict.why
