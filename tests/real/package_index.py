"""What an image build needs offline: wheels behind an index that the nodes reach, and a base image."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.testbed.testbed import Testbed

RECIPE = ROOT / "dockerfiles" / "vllm-node-cpu"
CACHE = Path(os.environ.get("SPARKCONSOLE_TESTBED_CACHE", "/var/cache/sparkconsole-testbed"))
BASE, OPERATOR, PORT = "sparkconsole-base:bookworm", "10.77.0.254", 8099


def made(script: str, name: str) -> Path:
    """What a script of the recipe makes, kept in CACHE between runs."""
    CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        (str(RECIPE / script), str(CACHE / name)), capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{script}: {done.stderr[-2000:]}")
    return CACHE / name


@contextmanager
def package_index(bed: Testbed) -> Iterator[str]:
    """Its address, as the nodes reach it; the base image is on node 1."""
    base, wheels = made("make-base.sh", "base.tar"), made("make-wheels.sh", "wheels")
    bed.exec(1, "docker", "import", "-", BASE, stdin=base.read_bytes())
    serve = ("python3", "-m", "http.server", str(PORT), "--bind", OPERATOR, "--directory", str(wheels))
    index = subprocess.Popen(bed.operator_argv(*serve), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://{OPERATOR}:{PORT}/simple"
    finally:
        index.terminate()
        index.wait(10)


def build_line(index: str) -> str:
    """The line that builds the CPU image without internet."""
    arguments = {
        "BASE": BASE, "PIP_INDEX_URL": index, "PIP_TRUSTED_HOST": OPERATOR, "TORCH_INDEX_URL": "",
    }  # fmt: skip
    given = " ".join(f"--build-arg {key}={value}" for key, value in arguments.items())
    return f"image build --recipe vllm-node-cpu --network host --least-free 8 {given}"
