"""The recipes: the seed's arguments, the labels the console reads, and the parts that can run here."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from sparkconsole.model.image import COMMIT_FILE, COMMIT_LABEL, RECIPES
from tests.conftest import ROOT

RECIPES_FOLDER = ROOT / "dockerfiles"
SEED = {
    "CACHEBUST_DEPS": "1",
    "CACHEBUST_VLLM": "1",
    "TRITON_REF": "v3.5.1",
    "VLLM_REF": "main",
    "BUILD_JOBS": "16",
}


def dockerfile(recipe: str) -> str:
    return (RECIPES_FOLDER / recipe / "Dockerfile").read_text()


def module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, RECIPES_FOLDER / path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_five_arguments_have_the_seeds_defaults(recipe: str) -> None:
    given = dict(re.findall(r"^ARG (\w+)=(\S*)$", dockerfile(recipe), re.M))
    assert {name: given.get(name) for name in SEED} == SEED


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", ["CACHEBUST_DEPS", "CACHEBUST_VLLM"])
def test_a_cache_buster_is_used_where_it_busts(recipe: str, name: str) -> None:
    text = dockerfile(recipe)
    assert text.index(f"ARG {name}=") < text.index(f"${{{name}}}"), (
        "an argument that no RUN names changes nothing"
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_labels_say_what_the_console_asks(recipe: str) -> None:
    text = dockerfile(recipe)
    assert f"org.sparkconsole.recipe={recipe}" in text
    assert "org.sparkconsole.ray=" in text
    assert re.search(r"org\.sparkconsole\.accelerator=(cpu|cuda)", text)
    if recipe == "vllm-node":
        assert COMMIT_LABEL in text
        assert Path(COMMIT_FILE).name in text


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_container_runs_what_it_is_told(recipe: str) -> None:
    text = dockerfile(recipe)
    assert not text.startswith("# syntax="), "a frontend would have to be pulled"
    assert "ENTRYPOINT" not in text
    assert text.rstrip().endswith('CMD ["bash"]')


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_copied_is_in_the_folder(recipe: str) -> None:
    for words in re.findall(r"^COPY (?!--from)(.+)$", dockerfile(recipe), re.M):
        for name in words.split()[:-1]:
            assert (RECIPES_FOLDER / recipe / name).is_file()


def test_sources_come_by_checkout_and_never_by_a_bare_clone() -> None:
    assert "git clone" not in dockerfile("vllm-node")
    assert dockerfile("vllm-node").count("checkout.sh https://") == 2


def test_both_gpu_recipes_mend_the_loader_the_same_way() -> None:
    one, other = (RECIPES_FOLDER / r / "patch_fastsafetensors.py" for r in ("vllm-node", "vllm-node-wheels"))
    assert one.read_bytes() == other.read_bytes()


LOADER = '''"""Weights."""
from __future__ import annotations

import torch

def fastsafetensors_weights_iterator(files):
    pg = group()
    device = torch.device(f"cuda:{pg.rank()}")
    return device
'''


def test_the_loader_takes_its_device_from_the_world_group() -> None:
    mended, said = module("vllm-node/patch_fastsafetensors.py").patched(LOADER)
    assert "device = get_world_group().device" in mended
    assert mended.index("from __future__") < mended.index("import get_world_group")
    assert "now" in said
    compile(mended, "loader", "exec")
    again, said = module("vllm-node/patch_fastsafetensors.py").patched(mended)
    assert again == mended
    assert "nothing to do" in said


def test_a_file_that_is_no_loader_is_refused() -> None:
    with pytest.raises(ValueError, match="no fastsafetensors loader"):
        module("vllm-node/patch_fastsafetensors.py").patched("import torch\n")


def test_the_cpu_platform_gets_its_ray_resource_once() -> None:
    patch = module("vllm-node-cpu/patch_installed.py")
    once = patch.with_ray_key(f"class CpuPlatform:\n{patch.ANCHOR}")
    assert 'ray_device_key: str = "GPU"' in once
    assert patch.with_ray_key(once) == once
    with pytest.raises(SystemExit, match="no place for ray_device_key"):
        patch.with_ray_key("class CpuPlatform: ...")
    assert patch.with_portable_cpu(patch.with_portable_cpu("a", "b"), "b").count("b") == 1


class Repository:
    """A git repository to be checked out, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        done = subprocess.run(
            ("git", *identity, *words), cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        (self.folder / "file").write_text(text)
        self.git("add", "file")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "HEAD")


def checkout(
    repository: Repository, ref: str, cache: Path, commit: str = ""
) -> subprocess.CompletedProcess[str]:
    script = RECIPES_FOLDER / "vllm-node" / "checkout.sh"
    words = ("sh", str(script), str(repository.folder), ref, str(cache), *((commit,) if commit else ()))
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)


def test_a_reference_is_checked_out_on_a_cold_cache_too(tmp_path: Path) -> None:
    """The scripts this replaces built main there, whatever was asked for."""
    repository = Repository(tmp_path / "upstream")
    first = repository.commit("one")
    repository.git("tag", "v1")
    repository.commit("two")
    done = checkout(repository, "v1", tmp_path / "cache")
    assert (done.returncode, done.stdout.strip()) == (0, first)
    assert (tmp_path / "cache" / "file").read_text() == "one"


def test_a_branch_moves_on_and_the_cache_is_clean(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "upstream")
    repository.commit("one")
    assert checkout(repository, "main", tmp_path / "cache").returncode == 0
    (tmp_path / "cache" / "file").write_text("edited")
    (tmp_path / "cache" / "left").write_text("by a build")
    second = repository.commit("two")
    done = checkout(repository, "main", tmp_path / "cache")
    assert done.stdout.strip() == second
    assert (tmp_path / "cache" / "file").read_text() == "two"
    assert not (tmp_path / "cache" / "left").exists()


def test_another_commit_than_the_wanted_one_fails(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "upstream")
    first = repository.commit("one")
    second = repository.commit("two")
    done = checkout(repository, "main", tmp_path / "cache", first)
    assert done.returncode == 1
    assert second in done.stderr
    assert checkout(repository, first, tmp_path / "cache", first).stdout.strip() == first


def test_an_unknown_reference_fails(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "upstream")
    repository.commit("one")
    done = checkout(repository, "v9", tmp_path / "cache")
    assert done.returncode == 1
    assert "no branch, tag or commit v9" in done.stderr
