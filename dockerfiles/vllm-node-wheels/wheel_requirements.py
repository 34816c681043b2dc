"""wheel_requirements.py WHEEL FOLDER: what a wheel needs, as FOLDER/torch.txt, flashinfer.txt and others.txt.

Each becomes a layer of its own, which stays the same, and need not be copied to other nodes again, for as
long as vLLM asks for the same versions. Extras are left out.
"""

from __future__ import annotations

import re
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

OWN_LAYERS = {
    "torch": ("torch", "torchvision", "torchaudio"),
    "flashinfer": ("flashinfer-python", "flashinfer-cubin"),
}
BUILT = ("triton", "triton-kernels", "fastsafetensors")
"""Installed by the recipes themselves."""


def requirements(wheel: Path) -> list[str]:
    """The wheel's `Requires-Dist` without those of extras, sorted; ValueError when it is no wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
        if len(names) != 1:
            raise ValueError(f"{wheel} is no wheel: {len(names)} METADATA files")
        text = archive.read(names[0]).decode()
    lines = HeaderParser().parsestr(text).get_all("Requires-Dist") or []
    return sorted(line for line in lines if not re.search(r";.*\bextra\s*==", line))


def layers(lines: list[str]) -> dict[str, list[str]]:
    """The requirements by the layer that brings them."""
    found: dict[str, list[str]] = {name: [] for name in (*OWN_LAYERS, "others")}
    for line in lines:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower().replace("_", "-")
        if name not in BUILT:
            layer = next((key for key, names in OWN_LAYERS.items() if name in names), "others")
            found[layer].append(line)
    return found


def main(wheel: Path, folder: Path) -> None:
    """Writes the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in layers(requirements(wheel)).items():
        (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
