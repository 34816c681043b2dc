"""The answer of the one question that is put to each end of a copy (remote/node/site.py asks it)."""

from __future__ import annotations

from sparkconsole.model.transfer.ends import CopySite

_ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}
"""`docker info` says the kernel's word, images have Go's."""


def copy_site(text: str) -> CopySite:
    """The site from `KEY VALUE` lines; what a line does not say stays unknown."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if value.strip():
            values.setdefault(key, []).append(value.strip())

    def one(key: str) -> str:
        return values.get(key, [""])[-1]

    return CopySite(
        login=one("login"),
        address=one("address"),
        port=int(one("port")) if one("port").isdigit() else 22,
        docker_host=one("docker_host"),
        folder=one("folder"),
        driver=one("driver"),
        containerd_store="io.containerd.snapshotter" in one("status"),
        version=one("version"),
        python=bool(one("python")),
        architecture=_ARCHITECTURES.get(one("architecture"), ""),
        free_bytes=int(one("free")) if one("free").isdigit() else None,
        host_keys=tuple(k for k in values.get("key", []) if len(k.split()) == 2),
    )
