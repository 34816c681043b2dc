"""record_build.py RECIPE: /etc/sparkconsole/build.json says what was asked for, and what is installed.

References come from VLLM_REF and TRITON_REF, bases from BASE_IMAGES (`; ` between them), commits from the
checkouts' *.commit files beside it, else from the version that vLLM's wheel carries. No times: the same build
gives the same layer.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path("/etc/sparkconsole")
NEEDED = ("vllm", "torch", "ray")
SHOWN = (
    "triton",
    "flashinfer-python",
    "flashinfer-cubin",
    "flashinfer-jit-cache",
    "fastsafetensors",
    "transformers",
    "nvidia-nccl-cu13",
)


def installed() -> dict[str, str]:
    """Versions by package; an error when one is missing without which the image is of no use."""
    found = {name: importlib.metadata.version(name) for name in NEEDED}
    for name in SHOWN:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def record(
    recipe: str,
    refs: Mapping[str, str],
    recorded: Mapping[str, str],
    versions: Mapping[str, str],
    bases: Sequence[str] = (),
) -> dict[str, object]:
    """The content of build.json; what is not known is left out."""
    commits = {name: commit for name, commit in recorded.items() if commit}
    carried = re.search(r"\+g([0-9a-f]{7,40})", versions.get("vllm", ""))
    if carried:
        commits.setdefault("vllm", carried[1])
    said = {"recipe": recipe, "refs": dict(refs), "commits": commits, "versions": dict(versions)}
    return said | ({"bases": list(bases)} if bases else {})


def main(recipe: str) -> None:
    """Writes the file."""
    refs = {name: os.environ.get(f"{name.upper()}_REF", "") for name in ("vllm", "triton")}
    commits = {path.stem: path.read_text().strip() for path in sorted(FOLDER.glob("*.commit"))}
    FOLDER.mkdir(parents=True, exist_ok=True)
    bases = [base for base in os.environ.get("BASE_IMAGES", "").split("; ") if base]
    said = record(recipe, {k: v for k, v in refs.items() if v}, commits, installed(), bases)
    text = json.dumps(said, indent=1, sort_keys=True)
    (FOLDER / "build.json").write_text(f"{text}\n")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1])
