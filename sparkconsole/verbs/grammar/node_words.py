"""Which words of a verb name nodes, and whether there are such nodes: that is said before anything else."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sparkconsole.errors import WrongUsage
from sparkconsole.model.cluster import Cluster, login_words
from sparkconsole.model.image.build import host_list
from sparkconsole.model.text.alike import nearest
from sparkconsole.remote.ssh_config.place import is_a_host

if TYPE_CHECKING:
    from sparkconsole.verbs.grammar.registry import Request

ALL = "all"
MEMBERS: dict[tuple[str, ...], str] = {
    **dict.fromkeys((("node", "restart"), ("node", "drop-caches")), "names"),
    **dict.fromkeys((("node", "exec"), ("demo", "fault"), ("demo", "clear"), ("exec",), ("logs",)), "node"),
    **dict.fromkeys((("image", "build"), ("model", "download")), "on"),
    **dict.fromkeys((("image", "copy"), ("model", "copy")), "from_"),
    ("node", "reboot"): "name",
}
"""By verb, the parameter that takes nodes of the cluster and nothing else."""
ANYWHERE: dict[tuple[str, ...], str] = {
    ("image", "build"): "copy_to",
    ("image", "copy"): "to",
    ("model", "copy"): "to",
    ("node", "trust"): "names",
    ("node", "shell"): "name",
}
"""By verb, the parameter that takes machines of no cluster too, by address."""
LOOKS_LIKE = 0.7
"""So alike that an unknown name is taken for a slip of the pen."""


def parameters(words: tuple[str, ...]) -> tuple[str, ...]:
    """The parameters of that verb that take names of nodes."""
    return tuple(table[words] for table in (MEMBERS, ANYWHERE) if words in table)


def require_nodes(request: Request, cluster: Cluster, *, pretend: bool = False) -> None:
    """WrongUsage for the first word of the request that names no node, with the nearest that there is.

    `pretend`: nobody is anywhere else, so that every other word is wrong.
    """
    words = request.verb.words
    bound = inspect.signature(request.verb.function).bind(None, *request.args, **request.kwargs).arguments
    if cluster.nodes:
        for word in _words(bound.get(MEMBERS.get(words, ""))):
            cluster.member(word)
        for word in _words(bound.get(ANYWHERE.get(words, ""))):
            require_host(word, cluster, pretend=pretend)


def require_host(word: str, cluster: Cluster, *, pretend: bool = False) -> None:
    """WrongUsage for what is no node and can be no address: a name like a node's that nothing resolves."""
    name = login_words(word)[1]
    if cluster.node(name) is not None:
        return
    if pretend and not _numeric(name):
        cluster.member(name)
    bare = not _numeric(name) and "." not in name
    if bare and nearest(name, [n.name for n in cluster.nodes], alike=LOOKS_LIKE) and not is_a_host(name):
        cluster.member(name)


def receiver_words(to: Iterable[str] | None) -> tuple[str, ...]:
    """The hosts of `--to`, by default all others; WrongUsage where it names none."""
    hosts = host_list(to) if to is not None else (ALL,)
    if not hosts:
        raise WrongUsage("--to names no host", hint="--to spark2, --to spark2,spark3, or --to all")
    return hosts


def _numeric(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _words(value: Any) -> Iterable[str]:
    texts = (value,) if isinstance(value, str) else value or ()
    words = [word for text in texts for word in re.split(r"[\s,]+", text) if word]
    return [word for word in words if word != ALL and not word.startswith("-")]
