"""What is installed has everything that a checkout has."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.conftest import ROOT


def test_the_wheel_has_recipes_themes_examples_and_recordings(tmp_path: Path) -> None:
    words = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for source in (
        "dockerfiles/vllm-node-cpu/Dockerfile",
        "themes/spark-dark.toml",
        "examples/first-run.spark",
    ):
        assert f"sparkconsole/{source}" in names
    assert "sparkconsole/demo/captures/serve.log" in names
    assert not any(n.startswith("tests/") for n in names)
