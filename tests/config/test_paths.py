"""Where files are, and that they are private."""

from __future__ import annotations

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
