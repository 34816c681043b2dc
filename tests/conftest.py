"""What every test may rely on: nothing of this machine's own is read; captures of others stay outside."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.model.text import redact
from tests.still_clock import settle

ROOT = Path(__file__).resolve().parent.parent
OPENS = ("console", "scene", "over", "held", "served")
"""What a module of tests/tui or tests/demo takes from its neighbours to open the whole console."""
_NUMBERS = count()
"""Of folders: pytest looks through all earlier ones for the next free number, thousands of times."""
CAPTURES_OF_OTHERS = ROOT.parent / "shared" / "fixtures"


def pytest_configure() -> None:
    """sshd started by root wants the empty folder that its service makes at boot."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The field tier looks for Pythons while it is collected: only when somebody asks for it."""
    if collection_path != ROOT / "tests" / "field":
        return None
    asked = any("tests/field" in word for word in config.args) or re.search(
        r"(?<!not )\b(field|roots)\b", config.option.markexpr
    )
    return None if asked else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that open the whole console are a tier of their own: each takes a second or two.

    Without the captures of others there are fewer cases: each reader has lines of our own too.
    """
    if not CAPTURES_OF_OTHERS.is_dir():
        without = [item for item in items if "captures_of_others" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in set(without)]
    for item in items:
        module = getattr(item, "module", None)
        if item.path.parent.name in ("tui", "demo") and any(hasattr(module, name) for name in OPENS):
            item.add_marker(pytest.mark.pilot)


def _fresh_folder(factory: pytest.TempPathFactory, kind: str, name: str = "") -> Path:
    path = factory.getbasetemp() / kind / f"{next(_NUMBERS)}{name}"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As pytest's own, but found at once."""
    return _fresh_folder(tmp_path_factory, "tests", "-" + re.sub(r"\W", "_", request.node.name)[:24])


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, so that nobody's ~/.ssh, configuration or journal is read or written."""
    home = _fresh_folder(tmp_path_factory, "homes")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.delenv("VLLM_SPARK_EXTRA_DOCKER_ARGS", raising=False)


@pytest.fixture(autouse=True)
def _nothing_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test said by a secret name is no secret to the next."""
    monkeypatch.setattr(redact, "_learned", [])
    redact._seen.cache_clear()


@pytest.fixture(autouse=True)
def _idle_when_nothing_is_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's pilot waits until the process has used no CPU for 20 ms, twice a key: half of the whole tier.

    Nobody has to wait at all to know that a loop has nothing to do. After a pause everything is drawn, and
    what waited for the picture itself is done too.
    """
    if "textual.pilot" not in sys.modules:
        return
    from textual.pilot import Pilot

    shown, resized = Pilot.pause, Pilot.resize_terminal

    async def pause(pilot: Pilot[Any], delay: float | None = None) -> None:
        await shown(pilot, delay)
        await settle()
        for _ in range(5):
            screen = pilot.app.screen
            if not (screen._layout_required or screen._dirty_widgets):
                break
            await shown(pilot, 0)  # what was drawn made something else necessary
            await settle()

    async def resize(pilot: Pilot[Any], width: int, height: int) -> None:
        """Textual takes a size at most so many times a second: a clock of its own, which nothing stops."""
        await resized(pilot, width, height)
        for _ in range(1000):
            if pilot.app.screen._compositor.size == (width, height):
                break
            await asyncio.sleep(0.001)
        await pilot.pause()

    monkeypatch.setattr(Pilot, "pause", pause)
    monkeypatch.setattr(Pilot, "resize_terminal", resize)
    for module in ("pilot", "app"):
        monkeypatch.setattr(f"textual.{module}.wait_for_idle", _settled)


async def _settled(*_: float) -> None:
    await settle()


@pytest.fixture(scope="session")
def captures_of_others() -> Path:
    """Third-party captures beside a checkout; absent: its tests are not collected."""
    return CAPTURES_OF_OTHERS


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`auto` is two workers a core: such tests wait for processes, sockets and clocks half of their time.

    `logical` is one a core, for the console: it draws all the time.
    """
    cores = os.cpu_count() or 1
    return cores if config.option.numprocesses == "logical" else 2 * cores
