"""patch_fastsafetensors.py FILE: lets vLLM's fastsafetensors loader work on several nodes.

The loader took its device from the rank in the world: rank 1 on a machine with one GPU asked for cuda:1,
which is not there. vLLM's own world group knows the right one. Fixed upstream by vLLM pull request 34070:
then nothing is done here.
Prints what it did; ends with an error when the file is neither the one nor the other.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

LOADER = "fastsafetensors_weights_iterator"
DEFECT = re.compile(r"""torch\.device\(\s*f["']cuda:\{\s*\w+\.rank\(\)\s*\}["']\s*\)""")
SOUND = re.compile(r"current_device\(|get_world_group\(|\blocal_rank\b")
REPAIR = 'get_world_group().device if torch.distributed.is_initialized() else torch.device("cuda:0")'
IMPORT = "from vllm.distributed.parallel_state import get_world_group"


def patched(source: str) -> tuple[str, str]:
    """The source that works, and what was done to it; ValueError when the loader is not recognised."""
    tree = ast.parse(source)
    loaders = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == LOADER]
    if len(loaders) != 1:
        raise ValueError(f"{len(loaders)} functions are named {LOADER}, one was expected")
    lines = source.splitlines(keepends=True)
    first, last = loaders[0].lineno - 1, loaders[0].end_lineno
    loader = "".join(lines[first:last])
    if DEFECT.search(loader):
        lines[first:last] = [DEFECT.sub(f"({REPAIR})", loader)]
        lines.insert(_first_import(tree), f"{IMPORT}\n")
        return "".join(lines), "the loader takes its device from vLLM's world group now"
    if SOUND.search(loader):
        return source, "the loader does not take its device from the rank in the world: nothing to do"
    raise ValueError(f"{LOADER} changed: it cannot be told where it takes its device from")


def _first_import(tree: ast.Module) -> int:
    """Index of the line of the first import that is not from __future__."""
    for node in tree.body:
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if isinstance(node, ast.Import | ast.ImportFrom) and not future:
            return node.lineno - 1
    raise ValueError("the file imports nothing")


def main(path: Path) -> None:
    """Patches one file in place."""
    try:
        source, said = patched(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise SystemExit(f"{path}: {error}; --build-arg PATCHES=0 builds without this patch") from error
    path.write_text(source, encoding="utf-8")
    print(f"{path.name}: {said}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
