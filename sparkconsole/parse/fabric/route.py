"""What `ip -o route get ADDRESS from ADDRESS` prints, errors included."""

from __future__ import annotations

from itertools import pairwise

from sparkconsole.model.fabric.paths import Route


def parse_route(text: str, status: int | None = 0) -> Route:
    """The interface and the gateway; without an interface what the kernel said instead."""
    words = text.split("cache", 1)[0].replace("\\", " ").split()
    values = {word: after for word, after in pairwise(words) if word in ("dev", "via")}
    if status == 0 and "dev" in values:
        return Route(values["dev"].partition("@")[0], values.get("via", ""))
    if status == 127:
        return Route()
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "nobody said")
    return Route(trouble=last.removeprefix("RTNETLINK answers: ").strip()[:120])
