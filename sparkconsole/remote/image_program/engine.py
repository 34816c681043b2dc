"""The receiver's engine over its own socket: what the `docker` command says to it, and its progress."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from sparkconsole.remote.image_program.protocol import Wrong

LONG_S = 3600
"""An engine that registers a large layer says nothing meanwhile."""
FULL = "no space left"


class Local(http.client.HTTPConnection):
    """A connection to a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=LONG_S)
        self.path = path

    def connect(self) -> None:
        """See the class."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """Docker's engine of this machine, of any version: addresses without one mean the newest it has."""

    def __init__(self, path: str = "") -> None:
        host = os.environ.get("DOCKER_HOST", "")
        self.port = "" if path or not host.startswith("tcp://") else host[6:]
        self.path = path or (host[7:] if host.startswith("unix://") else "/var/run/docker.sock")

    def link(self) -> http.client.HTTPConnection:
        """A connection to it."""
        return http.client.HTTPConnection(self.port, timeout=LONG_S) if self.port else Local(self.path)

    def ask(self, method: str, path: str, words: Any = None) -> Any:
        """Its answer; Wrong with what it says when it does not do that."""
        link = self.link()
        try:
            body = None if words is None else json.dumps(words)
            link.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = link.getresponse()
            text = answer.read()
            if answer.status >= 400:
                raise Wrong(_message(text))
            return json.loads(text) if text.strip() else None
        finally:
            link.close()

    def progress(self, answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
        """Lines of progress as they come; Wrong for the first that is an error."""
        if answer.status >= 400:
            why = _message(answer.read())
            raise Wrong(why, FULL in why)
        for line in answer:
            news: dict[str, Any] = json.loads(line) if line.strip() else {}
            why = news.get("error") or (news.get("errorDetail") or {}).get("message") or ""
            if why or "Error unpacking" in news.get("stream", ""):
                raise Wrong(why or news["stream"].strip(), FULL in why)
            yield news

    def images(self) -> list[dict[str, Any]]:
        """Every image, those without a name too, as `docker image inspect` shows them."""
        found = []
        for one in self.ask("GET", "/images/json"):
            try:
                found.append(self.inspect(one["Id"]))
            except Wrong:
                continue  # it is gone by now
        return found

    def inspect(self, name: str) -> dict[str, Any]:
        """One image."""
        shown: dict[str, Any] = self.ask("GET", f"/images/{quote(name)}/json")
        return shown

    def labelled(self, label: str) -> list[str]:
        """The images with that label, by id."""
        wanted = quote(json.dumps({"label": [label]}))
        return [one["Id"] for one in self.ask("GET", "/images/json?filters=" + wanted)]

    def remove(self, name: str) -> None:
        """The name, and the image when nothing else names or uses it; what is in use stays."""
        try:
            self.ask("DELETE", f"/images/{quote(name)}?noprune=1")
        except Wrong:
            return

    def tag(self, image: str, name: str) -> None:
        """The image has that name from now on."""
        repository, _, version = name.rpartition(":")
        self.ask("POST", f"/images/{quote(image)}/tag?repo={quote(repository)}&tag={quote(version)}")

    def require_usable(self, image: str) -> None:
        """A container of it can be made, and is removed; Wrong otherwise."""
        words = {"Image": image, "Entrypoint": ["true"], "HostConfig": {"NetworkMode": "none"}}
        made = self.ask("POST", "/containers/create", words)
        self.ask("DELETE", f"/containers/{made['Id']}?force=1")


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.decode("utf-8", "replace").strip()[-500:] or "the engine does not say why"
