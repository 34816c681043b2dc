"""Where a login keeps what comes from the hub: asked as its shell says it, and one answer for everybody."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.hf_cache import HfCache, usual_cache
from sparkconsole.model.cluster import Node
from sparkconsole.parse.checkpoint.hf_cache import parse_hf_cache
from sparkconsole.remote.checkpoint.files import cached_models, checkpoint, holding
from sparkconsole.remote.checkpoint.hf_cache import hf_cache, keep_hub_at
from sparkconsole.remote.local import LocalShell
from tests import model_caches

STARTS = {
    "bash": (".bashrc", "export {}={}\n"),
    "zsh": (".zshrc", "export {}={}\n"),
    "dash": (".profile", "export {}={}\n"),
    "fish": (".config/fish/config.fish", "set -gx {} {}\n"),
    "tcsh": (".cshrc", "setenv {} {}\n"),
}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHELL", "/bin/sh")
    return Path.home()


async def test_who_says_nothing_has_the_usual_folder(home: Path) -> None:
    assert await hf_cache(LocalShell("a")) == usual_cache(str(home))


@pytest.mark.parametrize("name", STARTS)
async def test_what_a_login_shell_exports_is_asked_of_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    if (program := shutil.which(name)) is None:
        pytest.skip(f"there is no {name}")
    file, line = STARTS[name]
    path = home / file
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = "echo welcome HF_HOME=/nonsense\n"
    path.write_text(noise + line.format("HF_HOME", tmp_path / "hf"))
    monkeypatch.setenv("SHELL", program)
    found = await hf_cache(LocalShell("a"))
    assert (found.home, found.hub, found.usual) == (str(tmp_path / "hf"), str(tmp_path / "hf/hub"), False)


async def test_a_shell_that_hangs_or_ends_says_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".bashrc").write_text("exit 3\n")
    monkeypatch.setenv("SHELL", shutil.which("bash") or "/bin/sh")
    assert await hf_cache(LocalShell("a")) == usual_cache(str(home))


@pytest.mark.parametrize(
    ("said", "home_folder", "hub"),
    [
        ({"HF_HOME": "/data/hf"}, "/data/hf", "/data/hf/hub"),
        ({"HF_HUB_CACHE": "/nvme/hub"}, "/h/.cache/huggingface", "/nvme/hub"),
        ({"HUGGINGFACE_HUB_CACHE": "/nvme/hub/"}, "/h/.cache/huggingface", "/nvme/hub"),
        ({"XDG_CACHE_HOME": "/big"}, "/big/huggingface", "/big/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/big", "HF_HOME": "~/hf"}, "/h/hf", "/h/hf/hub"),
        ({"HF_HOME": "relative"}, "/h/.cache/huggingface", "/h/.cache/huggingface/hub"),
    ],
)
def test_the_variables_mean_what_they_mean_to_the_hubs_client(
    said: dict[str, str], home_folder: str, hub: str
) -> None:
    text = "home /h\n" + "".join(f"{k}={v}\n" for k, v in said.items())
    found = parse_hf_cache(text, "a")
    assert (found.home, found.hub) == (home_folder, hub)


def test_a_node_without_a_home_is_an_error_with_its_name() -> None:
    with pytest.raises(SparkError) as no:
        parse_hf_cache("", "spark-02")
    assert no.value.node == "spark-02"


@pytest.mark.parametrize("named", ["models in it", "as HF_HOME", "by hub"])
async def test_cluster_toml_wins(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str
) -> None:
    monkeypatch.setenv("HF_HOME", "/elsewhere")
    folder = tmp_path / ("hub" if named == "by hub" else "data")
    (folder / "models--a--b" if named == "models in it" else folder).mkdir(parents=True)
    shell = LocalShell("a")
    keep_hub_at(shell, str(folder))
    found = await hf_cache(shell)
    assert found.hub == str(folder / "hub" if named == "as HF_HOME" else folder)


async def test_a_colon_cannot_be_mounted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "/data/a:b")
    with pytest.raises(SparkError, match="colon"):
        await hf_cache(LocalShell("a"))


@pytest.mark.parametrize("value", ["relative", "/a:b", "/a\nb", ""])
def test_what_is_no_folder_is_refused_in_cluster_toml(value: str) -> None:
    with pytest.raises(ValueError, match="hf_cache"):
        Node(name="a", address="a", hf_cache=value)


async def test_models_are_listed_looked_at_and_judged_in_the_same_place(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model_caches.hub_cache(tmp_path, "org/m", model_caches.shards(2, 1000))
    there = tmp_path / ".cache/huggingface/hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(there))
    shell = LocalShell("a")
    assert [m.name for m in await cached_models(shell)] == ["org/m"]
    assert (await holding(shell, "org/m")).root == str(there)
    assert (await checkpoint(shell, "org/m")).folder.startswith(str(there))
    inside = f"/root/.cache/huggingface/hub/models--org--m/snapshots/{model_caches.COMMIT}"
    assert (await checkpoint(shell, inside)).folder.startswith(str(there))
    assert (await holding(shell, inside)).files


def test_both_folders_are_mounted_where_vllm_looks() -> None:
    assert HfCache("/d/hf", "/d/hf/hub").mounts() == (("/d/hf", "/root/.cache/huggingface"),)
    moved = HfCache("/h/.cache/huggingface", "/nvme/hub", usual=False)
    assert moved.mounts()[1] == ("/nvme/hub", "/root/.cache/huggingface/hub")
    assert moved.with_folders(("python3",)) == (
        "env",
        "HF_HOME=/h/.cache/huggingface",
        "HF_HUB_CACHE=/nvme/hub",
        "python3",
    )
    assert json.dumps(usual_cache("/h").with_folders(("python3",))) == '["python3"]'
