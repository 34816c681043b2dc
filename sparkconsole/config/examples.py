"""The scripts that come with this program, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

import sparkconsole

SUFFIX = ".spark"


def examples() -> dict[str, Path]:
    """Each shipped script by its bare name (`first-run`)."""
    package = Path(sparkconsole.__file__).parent
    places = (package / "examples", package.parent / "examples")
    folder = next((p for p in places if p.is_dir()), places[0])
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def script_path(text: str) -> Path:
    """The file of that name; where there is none, the example that goes by it: `first-run`,
    `first-run.spark` and `examples/first-run.spark` are the same one everywhere."""
    path = Path(text)
    if path.exists() or path.is_absolute():
        return path
    name = Path(*path.parts[1:]) if path.parts[:1] == ("examples",) else path
    if len(name.parts) != 1 or name.suffix not in ("", SUFFIX):
        return path
    return examples().get(name.stem, path)
