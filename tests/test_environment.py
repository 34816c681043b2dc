"""`make` alone sets itself up: tools/environment.py, where this Python has neither uv nor ensurepip."""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools import environment

pytestmark = pytest.mark.programs

PIP = """import sys
assert sys.argv[1] == "install", sys.argv
print("pip was asked for", sys.argv[-1].rsplit("/")[-1])
"""


class Index:
    """An index on loopback with wheels of a pip that only says what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "simple" / "pip"
        self.folder.mkdir(parents=True)
        self.links: list[str] = []
        self.url = ""

    def offer(self, version: str, *, attributes: str = "", digest: str = "") -> None:
        """One more wheel, and its line in the page."""
        path = self.folder / f"pip-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("pip/__main__.py", PIP)
        true = hashlib.sha256(path.read_bytes()).hexdigest()
        self.links.append(f'<a href="{path.name}#sha256={digest or true}" {attributes}>{path.name}</a>')
        (self.folder / "index.html").write_text("<br>\n".join(self.links))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Served while the test runs, and handed in as pip takes it."""
    index = Index(tmp_path)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever).start()
        index.url = f"http://127.0.0.1:{server.server_port}/simple"
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        monkeypatch.delenv("PIP_CERT", raising=False)
        yield index
        server.shutdown()


def test_the_newest_pip_that_this_python_takes_is_fetched(index: Index, tmp_path: Path) -> None:
    index.offer("9.0.3")
    index.offer("25.1")
    index.offer("26.0b1")
    index.offer("99.0", attributes='data-requires-python="&gt;=3.99"')
    index.offer("98.0", attributes='data-yanked="broken"')
    assert Path(environment.fetch_pip(str(tmp_path))).name == "pip-25.1-py3-none-any.whl"


def test_a_wheel_that_is_not_what_the_index_says_is_refused(index: Index, tmp_path: Path) -> None:
    index.offer("25.1", digest="0" * 64)
    with pytest.raises(ValueError, match="is not what the index says"):
        environment.fetch_pip(str(tmp_path))
    assert not list(tmp_path.glob("*.whl"))


def test_pips_own_configuration_names_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert environment.index_url() == "https://mirror.example/simple"


def without(tmp_path: Path, *modules: str) -> dict[str, str]:
    """A machine without uv, whose Python lacks these modules."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for module in modules:
        (hidden / f"{module}.py").write_text(f"raise ModuleNotFoundError('No module named {module}')\n")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {**bare, "PATH": "/nonexistent", "PYTHONPATH": str(hidden)}


def make(folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, ROOT / "tools/environment.py", folder, "what-is-wanted"),
        env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_without_ensurepip_pips_own_wheel_is_taken(index: Index, tmp_path: Path) -> None:
    index.offer("25.1")
    env = {**without(tmp_path, "ensurepip"), "PIP_INDEX_URL": index.url}
    done = make(tmp_path / "env", env)
    assert "pip was asked for pip-25.1-py3-none-any.whl" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "env/bin/python").exists()


def test_without_an_index_the_first_line_is_the_command_that_helps(tmp_path: Path) -> None:
    env = {**without(tmp_path, "ensurepip"), "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    done = make(tmp_path / "env", env)
    assert done.returncode == 1
    assert done.stdout.startswith("apt install python3-venv")
    assert "Traceback" not in done.stderr


def test_without_venv_too(tmp_path: Path) -> None:
    done = make(tmp_path / "env", without(tmp_path, "ensurepip", "venv"))
    assert done.returncode == 1
    assert done.stdout.startswith("apt install python3-venv")


def test_an_environment_of_another_python_is_made_anew(tmp_path: Path) -> None:
    """Over it half of each would be left, and no install would ever work again."""
    place = tmp_path / "python"
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", place), check=True)
    assert not environment.of_another_python(str(place))
    python = place / "bin" / "python"
    python.unlink()
    assert environment.of_another_python(str(place)), "its Python is not there any more"
    python.write_text("#!/bin/sh\necho 3.12.1 /usr/local\n")
    python.chmod(0o755)
    assert environment.of_another_python(str(place))


def test_a_folder_that_is_no_environment_is_never_taken_away(tmp_path: Path) -> None:
    assert not environment.of_another_python(str(tmp_path))
    assert not environment.of_another_python(str(tmp_path / "nowhere"))
