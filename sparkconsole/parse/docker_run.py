"""Why docker refused, in a sentence with what to do; docker's own words where the reason is not known."""

from __future__ import annotations

import re

from sparkconsole.model.launching import Why

_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"Unable to find image '([^']+)'|No such image: (\S+)|pull access denied for (\S+?),",
        "the image {0} is not on this node",
        "copy it there: sparkconsole image copy -t {0}",
    ),
    (
        r'container name "/?([^"]+)" is already in use',
        "a container called {0} came up meanwhile; it is left alone",
        "look: sparkconsole status",
    ),
    (
        r"could not select device driver .*gpu|nvidia-container-(?:cli|runtime)|unresolvable CDI devices",
        "docker has no NVIDIA runtime here",
        "install nvidia-container-toolkit and restart docker, or try without a GPU: --no-gpus",
    ),
    (
        r'exec: "?ray"?:? .*(?:not found|no such file)',
        "the image has no `ray`",
        "build an image with ray[default], or launch without Ray: --backend none",
    ),
    (
        r'exec: "?([^":]+)"?:? .*(?:not found|no such file)',
        "`{0}` is not there in the container",
        "is it the right image? sparkconsole image list",
    ),
    (r"permission denied while trying to connect[^\n]*|docker\.sock: connect: permission denied",
     "docker may not be used by this user",
     "on that node: sudo usermod -aG docker $USER, then log in again"),
    (r"Cannot connect to the Docker daemon", "the docker engine does not run",
     "on that node: sudo systemctl start docker"),
    (r"no space left on device", "the disk is full", "see what docker holds: docker system df"),
    (r"address already in use[^\n]*", "a port is in use", "see who listens: ss -ltnp"),
)  # fmt: skip


def why_refused(stderr: str) -> Why:
    """The reason `docker run` gave."""
    for pattern, cause, hint in _KNOWN:
        found = re.search(pattern, stderr, re.IGNORECASE)
        if found:
            name = next((g for g in found.groups() if g), "")
            return Why(cause.format(name), hint.format(name))
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and "docker run --help" not in line]
    return Why(f"docker said: {lines[-1][:300]}" if lines else "docker run failed and said nothing")


def name_taken(stderr: str) -> bool:
    """The name belongs to a container that someone else made: it must not be removed."""
    return re.search(r'container name "[^"]+" is already in use', stderr) is not None
