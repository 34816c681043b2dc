"""The recipes: the seed's arguments, the labels the console reads, and the parts that can run here."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from sparkconsole.model.image.build import COMMIT_FILE, COMMIT_LABEL, RECIPES
from sparkconsole.model.text.redact import redact, secret_name
from sparkconsole.parse.image.recipe import commit_named
from tests.conftest import ROOT
from tests.programs import need

pytestmark = pytest.mark.programs

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


LABELS = ("recipe", "accelerator", "ray", "vllm.ref")
GPU_LABELS = (*LABELS, "vllm.commit", "triton.ref", "triton.commit")
GPU = ("vllm-node", "vllm-node-wheels")


def instructions(recipe: str) -> list[str]:
    """The recipe's instructions, each on one line, without comments."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile(recipe), flags=re.M)
    return [line for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip()]


@pytest.mark.parametrize("recipe", RECIPES)
def test_labels_say_what_the_console_asks(recipe: str) -> None:
    last = [line for line in instructions(recipe) if line.startswith("LABEL ")][-1]
    given = dict(re.findall(r"org\.sparkconsole\.([\w.]+)=(\S*)", last))
    assert set(GPU_LABELS if recipe in GPU else LABELS) <= set(given)
    assert given["recipe"] == recipe
    assert given["accelerator"] == ("cuda" if recipe in GPU else "cpu")
    assert COMMIT_LABEL.removeprefix("org.sparkconsole.") in GPU_LABELS


@pytest.mark.parametrize("recipe", GPU)
def test_what_was_read_of_the_bases_is_recorded_in_the_image(recipe: str) -> None:
    lines = instructions(recipe)
    asks = lines.index("ARG BASE_IMAGES=")
    assert "record_build.py" in lines[asks + 1]
    assert not any(line.startswith("FROM ") for line in lines[asks:]), "it is the image's own stage"


@pytest.mark.parametrize("recipe", RECIPES)
def test_nothing_in_a_recipe_is_a_secret_or_asks_for_one(recipe: str) -> None:
    """What an instruction says stays in the image's history."""
    for line in instructions(recipe):
        assert redact(line) == line
        word, _, rest = line.partition(" ")
        names = re.findall(r"(\w+)(?==|\s|$)", rest) if word in ("ARG", "ENV") else []
        assert not [name for name in names if secret_name(name)], line


def test_the_commit_that_was_built_is_where_the_console_reads_it() -> None:
    copied = [line for line in instructions("vllm-node") if line.startswith("COPY --from=vllm-builder")]
    sources = [line.split()[-2:] for line in copied]
    assert [str(Path(to) / Path(source).name) for source, to in sources] == [COMMIT_FILE]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_container_runs_what_it_is_told(recipe: str) -> None:
    lines = instructions(recipe)
    assert not re.search(r"^#\s*syntax\s*=", dockerfile(recipe), re.M), "a frontend would have to be pulled"
    assert {line for line in lines if line.startswith("ENTRYPOINT")} <= {"ENTRYPOINT []"}
    assert lines[-1] == 'CMD ["bash"]'


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_copied_is_in_the_folder(recipe: str) -> None:
    copied = [line.split() for line in instructions(recipe) if re.match(r"COPY (?!--from)", line)]
    assert copied
    for words in copied:
        for name in words[1:-1]:
            assert (RECIPES_FOLDER / recipe / name).is_file(), name


@pytest.mark.parametrize("recipe", RECIPES)
def test_stages_that_are_copied_or_mounted_from_come_before(recipe: str) -> None:
    known: list[str] = []
    for line in instructions(recipe):
        if named := re.match(r"FROM \S+ AS (\S+)", line):
            known.append(named[1])
        assert set(re.findall(r"\bfrom=([\w-]+)", line)) <= set(known), line[:80]


def test_sources_come_by_checkout_and_never_by_a_bare_clone() -> None:
    assert not any("git clone" in dockerfile(recipe) for recipe in RECIPES)
    assert dockerfile("vllm-node").count("checkout.sh https://") == 2


def test_fewer_jobs_rebuild_neither_torch_nor_system_libraries() -> None:
    """Every RUN after an ARG runs again when the ARG changes."""
    base = dockerfile("vllm-node").split("FROM base AS tools")[0]
    assert "pip install" in base
    assert "BUILD_JOBS" not in base


@pytest.mark.parametrize("name", ["patch_fastsafetensors.py", "wheel_requirements.py", "record_build.py"])
def test_both_gpu_recipes_have_the_same_scripts(name: str) -> None:
    one, other = (RECIPES_FOLDER / recipe / name for recipe in GPU)
    assert one.read_bytes() == other.read_bytes()


LOADER = '''"""Weights.

import nothing that is not needed
"""
from __future__ import annotations

import torch

def other(pg):
    return torch.device(f"cuda:{pg.rank()}")

def fastsafetensors_weights_iterator(files):
    pg = torch.distributed.group.WORLD
    device = %s
    return device
'''
DEFECTS = ("""torch.device(f"cuda:{pg.rank()}")""", """torch.device(f'cuda:{ pg.rank() }')""")
FIXED = """torch.device(f"cuda:{current_platform.current_device()}")"""


class Rank:
    """A process on the second of two machines with one GPU each: rank 1 of the world, device 0."""

    device = "cuda:0"

    def rank(self) -> int:
        return 1

    def is_initialized(self) -> bool:
        return True


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_second_machine_loads_to_its_own_gpu(defect: str) -> None:
    mended, said = module("vllm-node/patch_fastsafetensors.py").patched(LOADER % defect)
    assert "world group now" in said
    world = Rank()
    world.group = SimpleNamespace(WORLD=world)  # type: ignore[attr-defined]
    torch = SimpleNamespace(distributed=world, device=str)
    names: dict[str, Any] = {"torch": torch, "get_world_group": lambda: world}
    unmended, code = dict(names), re.sub(r"^(from vllm|import torch).*", "", mended, flags=re.M)
    exec(compile(code, "mended", "exec"), names)
    assert names["fastsafetensors_weights_iterator"]([]) == "cuda:0"
    exec(compile((LOADER % defect).replace("import torch\n", ""), "before", "exec"), unmended)
    assert unmended["fastsafetensors_weights_iterator"]([]) == "cuda:1"


def test_the_patch_touches_the_loader_alone_and_only_once() -> None:
    patch = module("vllm-node/patch_fastsafetensors.py")
    mended, _ = patch.patched(LOADER % DEFECTS[0])
    assert mended.index("from __future__") < mended.index(patch.IMPORT) < mended.index("import torch")
    assert mended.count("pg.rank()") == 1, "the other function keeps its own"
    assert patch.patched(mended) == (mended, patch.patched(mended)[1])
    assert "nothing to do" in patch.patched(mended)[1]


def test_a_loader_that_upstream_fixed_stays_as_it_is() -> None:
    source = LOADER % FIXED
    same, said = module("vllm-node/patch_fastsafetensors.py").patched(source)
    assert same == source
    assert "nothing to do" in said


@pytest.mark.parametrize("source", ["import torch\n", LOADER % "chosen(pg)", LOADER + LOADER])
def test_a_loader_changed_beyond_recognition_ends_the_build(source: str, tmp_path: Path) -> None:
    path = tmp_path / "weight_utils.py"
    path.write_text(source.replace("%s", "pg"))
    with pytest.raises(SystemExit, match="PATCHES=0"):
        module("vllm-node/patch_fastsafetensors.py").main(path)
    assert path.read_text() == source.replace("%s", "pg")


def wheel(path: Path, *needs: str) -> Path:
    metadata = "".join(f"Requires-Dist: {need}\n" for need in needs)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "vllm-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: vllm\nVersion: 1\n{metadata}"
        )
    return path


def test_what_a_wheel_needs_is_split_into_layers(tmp_path: Path) -> None:
    made = wheel(
        tmp_path / "vllm.whl", "torch==2.13.0", "torchaudio==2.11.0", "torchcodec>=0.14", "numpy",
        "flashinfer_python==0.6", "triton==3.6", "fastsafetensors>=0.3; extra == 'fast'", "ray[cgraph]>=2.48",
        'tokenspeed-mla==0.1; platform_system == "Linux"',
    )  # fmt: skip
    module("vllm-node/wheel_requirements.py").main(made, tmp_path / "out")
    read = {path.stem: path.read_text().splitlines() for path in (tmp_path / "out").iterdir()}
    assert read == {
        "torch": ["torch==2.13.0", "torchaudio==2.11.0"],
        "flashinfer": ["flashinfer_python==0.6"],
        "others": [
            "numpy",
            "ray[cgraph]>=2.48",
            'tokenspeed-mla==0.1; platform_system == "Linux"',
            "torchcodec>=0.14",
        ],
    }


def test_a_build_is_recorded_with_the_commit_that_is_known() -> None:
    record = module("vllm-node/record_build.py").record
    checked_out = record("vllm-node", {"vllm": "main"}, {"vllm": "a" * 40}, {"vllm": "1.dev2+gbbbbbbb.cu130"})
    assert checked_out["commits"] == {"vllm": "a" * 40}
    from_wheel = record("vllm-node-wheels", {}, {}, {"vllm": "0.20.2rc1.dev93+g51f22dcfd.cu130"})
    assert from_wheel["commits"] == {"vllm": "51f22dcfd"}
    assert record("vllm-node-wheels", {}, {}, {"vllm": "0.20.2"})["commits"] == {}
    assert "bases" not in checked_out
    kept = record("vllm-node", {}, {}, {}, ["x@sha256:1"])
    assert kept["bases"] == ["x@sha256:1"]


def test_the_cpu_platform_gets_its_ray_resource_once() -> None:
    patch = module("vllm-node-cpu/patch_installed.py")
    once = patch.with_ray_key(f"class CpuPlatform:\n{patch.ANCHOR}")
    assert 'ray_device_key: str = "GPU"' in once
    assert patch.with_ray_key(once) == once
    with pytest.raises(SystemExit, match="no place for ray_device_key"):
        patch.with_ray_key("class CpuPlatform: ...")


def test_portable_cpu_is_added_once_and_says_no_to_wide_vectors() -> None:
    patch = module("vllm-node-cpu/patch_installed.py")
    addition = (RECIPES_FOLDER / "vllm-node-cpu" / "portable_cpu.py").read_text()
    once = patch.with_portable_cpu("def _is_avx512_supported() -> bool:\n    return True\n", addition)
    assert patch.with_portable_cpu(once, addition) == once
    names: dict[str, Any] = {}
    exec(compile(once, "torch.cpu", "exec"), names)
    assert names["_is_avx512_supported"]() is False


class Repository:
    """A git repository to be checked out, in a folder."""

    def __init__(self, folder: Path) -> None:
        need("git")
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
    assert not (tmp_path / "cache" / "file").exists()


def test_a_tag_goes_before_a_branch_of_its_name_as_the_console_reads_them(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "upstream")
    tagged = repository.commit("one")
    repository.git("tag", "-a", "-m", "annotated", "v1")
    repository.git("branch", "v1", repository.commit("two"))
    listed = repository.git("ls-remote", ".", "v1", "v1^{}")
    assert commit_named(listed, "v1") == (tagged, "tag")
    assert checkout(repository, "v1", tmp_path / "cache").stdout.strip() == tagged


def test_what_is_gone_upstream_is_gone_from_the_cache(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "upstream")
    repository.commit("one")
    repository.git("branch", "fix")
    repository.git("tag", "nightly")
    assert checkout(repository, "fix", tmp_path / "cache").returncode == 0
    repository.git("branch", "-D", "fix")
    repository.git("tag", "-d", "nightly")
    assert checkout(repository, "fix", tmp_path / "cache").returncode == 1
    assert checkout(repository, "nightly", tmp_path / "cache").returncode == 1


def test_a_tag_that_moved_moves_in_the_cache(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "upstream")
    repository.commit("one")
    repository.git("tag", "nightly")
    assert checkout(repository, "nightly", tmp_path / "cache").returncode == 0
    second = repository.commit("two")
    repository.git("tag", "-f", "nightly")
    assert checkout(repository, "nightly", tmp_path / "cache").stdout.strip() == second


def test_a_pull_request_is_a_reference_too(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "upstream")
    first = repository.commit("one")
    wanted = repository.commit("proposed")
    repository.git("update-ref", "refs/pull/7/head", wanted)
    repository.git("reset", "-q", "--hard", first)
    assert checkout(repository, "refs/pull/7/head", tmp_path / "cache").stdout.strip() == wanted
    assert checkout(repository, wanted[:9], tmp_path / "cache", wanted[:7]).stdout.strip() == wanted


def test_the_lock_of_a_killed_build_is_no_obstacle(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "upstream")
    repository.commit("one")
    assert checkout(repository, "main", tmp_path / "cache").returncode == 0
    (tmp_path / "cache" / ".git" / "index.lock").touch()
    second = repository.commit("two")
    done = checkout(repository, "main", tmp_path / "cache")
    assert (done.returncode, done.stdout.strip()) == (0, second), done.stderr


def test_an_upstream_that_cannot_be_reached_builds_nothing_old(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "upstream")
    repository.commit("one")
    assert checkout(repository, "main", tmp_path / "cache").returncode == 0
    repository.folder.rename(tmp_path / "moved")
    done = checkout(repository, "main", tmp_path / "cache")
    assert done.returncode == 1
    assert "cannot be fetched" in done.stderr
    assert done.stdout == ""
