"""Nothing is waited for without end: of a pipe that nobody writes into it is said."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sparkconsole.config import bounded_read
from sparkconsole.config.bounded_read import CONFIG_BYTES, WRITTEN_BYTES, bounded_bytes
from sparkconsole.config.reading import read_text, read_toml
from sparkconsole.errors import WrongConfig


def test_a_pipe_that_nobody_writes_into_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_read, "PIPE_S", 0.1)
    os.mkfifo(tmp_path / "cluster.toml")
    with pytest.raises(WrongConfig, match="nobody wrote into it"):
        read_text(tmp_path / "cluster.toml")


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "cluster.toml"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("default = 'x'\n" * 9000))
    writer.start()
    assert read_text(pipe).count("\n") == 9000
    writer.join(10)


def test_a_link_that_leads_nowhere_is_no_empty_file(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").symlink_to(tmp_path / "gone")
    with pytest.raises(WrongConfig, match="a link to a file that is not there"):
        read_text(tmp_path / "cluster.toml")


def test_a_number_without_an_end_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WrongConfig, match="a number of thousands of digits"):
        read_toml(f"default = {'9' * 6000}", tmp_path / "cluster.toml")


def test_what_is_too_large_is_refused_with_its_name(tmp_path: Path) -> None:
    large = tmp_path / "cluster.toml"
    with large.open("wb") as file:
        file.truncate(WRITTEN_BYTES + 1)
    with pytest.raises(OSError, match="larger than 4096 KiB") as caught:
        bounded_bytes(large)
    assert caught.value.filename == str(large)
    assert len(bounded_bytes(large, WRITTEN_BYTES + 1)) == WRITTEN_BYTES + 1


@pytest.mark.parametrize("parts", [65, 2000, 50_000])
@pytest.mark.parametrize("form", ["{} = 1", "[{}]", "a = {{ {} = 1 }}"])
def test_a_key_of_thousands_of_parts_is_nested_too_deeply(tmp_path: Path, parts: int, form: str) -> None:
    with pytest.raises(WrongConfig, match="nested too deeply"):
        read_toml(form.format(".".join(["a"] * parts + ["b"])), tmp_path / "cluster.toml")


def test_dots_in_text_and_comments_are_no_keys(tmp_path: Path) -> None:
    nodes = ", ".join(f'{{ name = "n{i}", address = "10.0.0.{i}" }}' for i in range(64))
    text = f"# {'.' * 500}\nnodes = [{nodes}]  # {'.' * 100}\nwhy = '{'.' * 99}'\n"
    assert len(read_toml(text, tmp_path / "cluster.toml")["nodes"]) == 64


def test_a_configuration_as_large_as_no_configuration_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "cluster.toml"
    large.write_text("# x\n" * (CONFIG_BYTES // 4 + 1))
    with pytest.raises(WrongConfig, match="larger than 256 KiB"):
        read_text(large)
