"""A fresh Debian 12 and 13 with `python3` and `make`: what the README says is typed there by a plain user."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkconsole.tui.keyboard.keys import VIEWS
from tests.field.places import ENVIRONMENT, INSIDE, REQUIRED
from tests.field.roots import HOME, INSIDE_FOLDER, SUITES, Root, fresh

pytestmark = [
    pytest.mark.field,
    pytest.mark.roots,
    pytest.mark.skipif(INSIDE in ENVIRONMENT, reason="within a fresh root there is no further one"),
]
TESTS_S = 2400


@pytest.fixture(scope="module", params=SUITES)
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """That Debian, untouched but for what this module does in it."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        assert "roots" not in REQUIRED, "SPARKCONSOLE_REQUIRE_FIELD wants roots: be root, install debootstrap"
        pytest.skip("needs root and debootstrap")
    made = fresh(request.param, tmp_path_factory.mktemp("root"))
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


def test_the_way_to_install_works_there(root: Root) -> None:
    done = root.run("make install && cd / && ~/.local/bin/sparkconsole --demo status")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "spark-02" in done.stdout
    assert f"{HOME}/.local/bin is not on your PATH" in done.stdout
    page = root.run("head -3 ~/.local/share/man/man1/sparkconsole.1")
    assert "SPARKCONSOLE" in page.stdout.upper(), "where `man` looks for what lies in ~/.local/bin"


def test_the_commands_of_the_readme_work_there(root: Root) -> None:
    """`make demo` in a terminal and without one; each sets itself up."""
    with root.seen("make demo") as seen:
        seen.until("spark-02")
        for number, name in enumerate(VIEWS, 1):
            seen.press(str(number))
            seen.until(f"[{number} {name.title()}]")
        seen.press("1")
        seen.until("[1 Cluster]")
        seen.press("q")
        assert seen.ended() == 0
    done = root.run("make demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 completed, 0 failed" in done.stdout


def test_uv_and_pipx_install_it_too(root: Root) -> None:
    """uv is the one of the development environment, pipx is Debian's own."""
    root.install("pipx")
    for way in (f"{INSIDE_FOLDER}/.venv/bin/uv tool install --force .", "pipx install --force ."):
        done = root.run(f"{way} && cd / && ~/.local/bin/sparkconsole --version", 900)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "sparkconsole 0." in done.stdout


def test_the_test_command_works_there(root: Root) -> None:
    """On Debian 13 all of it: the fast tier, the console and its pictures on that Python, in a bare clone."""
    target = "test" if "trixie" in str(root.folder) else "lint"
    done = root.run(f"make {target}", TESTS_S)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


def test_nothing_of_it_is_left_outside(tmp_path: Path) -> None:
    """What the stranger runs is in spaces of its own: no mount of a root is seen from here."""
    assert "sparkconsole-field/roots" not in Path("/proc/mounts").read_text()
