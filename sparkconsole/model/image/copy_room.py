"""What a copy of an image asks of the engines at its two ends."""

from __future__ import annotations

import shlex

from sparkconsole.model.transfer.ends import CopySite, Receiver


def docker_load(receiver: Receiver) -> tuple[str, ...]:
    """The receiver's end as its login shell gets it, behind ssh's own words."""
    known = f"DOCKER_HOST={shlex.quote(receiver.docker_host)}"
    return ("env", known, "docker", "load") if receiver.docker_host else ("docker", "load")


def loading_needs(size_bytes: int) -> int:
    """Bytes that `docker load` needs at its peak: overlay2 unpacks the stream into a temporary folder, then
    the layers out of it; the containerd store keeps the blobs beside the unpacked snapshots."""
    return 2 * size_bytes


def saving_needs(size_bytes: int, seen: CopySite) -> int:
    """Bytes that `docker save` needs: graph drivers write the whole image to a temporary folder first."""
    return 0 if seen.containerd_store else size_bytes
