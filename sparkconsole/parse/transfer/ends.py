"""The answer of the one question that is put to each end of a copy (remote/node/site.py asks it)."""

from __future__ import annotations

import re
from collections import defaultdict

from sparkconsole.model.transfer.ends import CopySite
from sparkconsole.parse.values import pairs, plain_address, plain_image, plain_name, plain_path, whole

_KEY = re.compile(r"[A-Za-z0-9][\w.@-]{0,63} [A-Za-z0-9+/=]{1,4096}", re.ASCII)
_ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}
"""`docker info` says the kernel's word, images have Go's."""


def copy_site(text: str) -> CopySite:
    """The site from `KEY VALUE` lines; what a line does not say stays unknown."""
    rows = pairs(text)
    last = defaultdict(str, rows)
    return CopySite(
        login=plain_name(last["login"]),
        address=plain_address(last["address"].partition("%")[0]),
        port=whole(last["port"]) or 22,
        docker_host=plain_image(last["docker_host"]),
        folder=plain_path(last["folder"]),
        driver=last["driver"],
        containerd_store="io.containerd.snapshotter" in last["status"],
        version=last["version"],
        python=bool(last["python"]),
        architecture=_ARCHITECTURES.get(last["architecture"], ""),
        free_bytes=whole(last["free"]),
        host_keys=tuple(value for key, value in rows if key == "key" and _KEY.fullmatch(value)),
    )
