"""Where files are, and that they are private."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sparkconsole.config import paths


def test_the_xdg_folders_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = Path.home()
    assert paths.cluster_file() == home / ".config/sparkconsole/cluster.toml"
    assert paths.state_folder() == home / ".local/state/sparkconsole"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    assert paths.settings_file() == tmp_path / "c/sparkconsole/config.toml"
    assert paths.state_folder() == tmp_path / "s/sparkconsole"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    paths.write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        paths.write_private(path, "new \udcff")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("through_a_link", [False, True])
def test_what_is_no_plain_file_is_never_replaced(tmp_path: Path, through_a_link: bool) -> None:
    """`--config /dev/null` as root took the device from every program of the machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    named = tmp_path / "link" if through_a_link else pipe
    if through_a_link:
        named.symlink_to(pipe)
    with pytest.raises(OSError, match="not a regular file"):
        paths.write_private(named, "x")
    assert pipe.is_fifo()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({"pipe", named.name})


def test_a_device_stays_a_device() -> None:
    with pytest.raises(OSError, match="not a regular file"):
        paths.write_private(Path(os.devnull), "x")
    assert Path(os.devnull).is_char_device()
