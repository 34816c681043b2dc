"""What a node says of where its Docker engine listens (remote/docker/host.py asks)."""

from __future__ import annotations

from sparkconsole.model.docker_host import DockerHost, found_at

_TLS = ("DOCKER_TLS", "DOCKER_TLS_VERIFY")


def parse_docker_host(text: str) -> DockerHost:
    """Lines NAME=VALUE of its environment, `context NAME HOST FILES`, `lost SENTENCE` and `rootless PATH`.

    As the docker command decides: DOCKER_HOST, then the context; who says nothing has the usual socket.
    """
    lines = text.splitlines()
    values = {k: v for line in lines for k, eq, v in (line.partition("="),) if eq and v}
    if host := values.get("DOCKER_HOST"):
        return found_at(host, tls=any(values.get(name) for name in _TLS))
    rows = {key: value.strip() for key, _, value in (line.partition(" ") for line in lines)}
    if "lost" in rows:
        why = f"its docker command fails: {rows['lost'][:200]}"
        return DockerHost(told=True, refused=why, remedy="docker context use default, there")
    name, host, files = (*rows.get("context", "").split(), "", "", "")[:3]
    if host and name != "default" and files.isdigit():
        return found_at(host, tls=files != "0")
    if rows.get("rootless", "").startswith("/"):
        return found_at(f"unix://{rows['rootless']}")
    return DockerHost()
