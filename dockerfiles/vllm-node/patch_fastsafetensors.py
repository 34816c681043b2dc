"""patch_fastsafetensors.py FILE: lets vLLM's fastsafetensors loader work on several nodes.

The loader took the device from the rank in the world: rank 1 on a machine with one GPU asked for cuda:1,
which is not there. vLLM's own world group knows the right one (fixed upstream by vLLM pull request 34070:
then nothing is done here). Prints what it did; ends with an error when the file is neither.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

DEFECT = re.compile(r"""torch\.device\(\s*f["']cuda:\{(?:pg|process_group)\.rank\(\)\}["']\s*\)""")
REPAIR = "get_world_group().device"
IMPORT = "from vllm.distributed.parallel_state import get_world_group\n"


def patched(source: str) -> tuple[str, str]:
    """The source that works, and what was done to it; ValueError when there is nothing to recognise."""
    if "fastsafetensors" not in source:
        raise ValueError("this file has no fastsafetensors loader")
    if not DEFECT.search(source):
        return source, "the loader takes its device from elsewhere already: nothing to do"
    repaired = DEFECT.sub(REPAIR, source)
    return _with_import(repaired), "the loader takes its device from vLLM's world group now"


def _with_import(source: str) -> str:
    """The import goes behind `from __future__` and the module's docstring, before the first other import."""
    if IMPORT in source:
        return source
    first = re.search(r"^(?:import|from) (?!__future__)", source, re.M)
    at = first.start() if first else 0
    return source[:at] + IMPORT + source[at:]


def main(path: Path) -> None:
    """Patches one file in place."""
    try:
        source, said = patched(path.read_text())
    except ValueError as error:
        raise SystemExit(f"{path}: {error}") from error
    path.write_text(source)
    print(f"{path.name}: {said}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
