"""Who belongs to the cluster and what a person said about each: the shape of cluster.toml.

A machine as people write it: `[user@]host[:port]`, `[v6]:port`, `ssh://…`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sparkconsole.errors import WrongUsage
from sparkconsole.model.docker_host import usable_url
from sparkconsole.model.image_reference import image_name
from sparkconsole.model.text.alike import did_you_mean

_NO_LOGIN = re.compile(r"[\s\x00-\x1f\x7f*?!,'\"`$;&|<>(){}:]")
_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f*?!,'\"`$\\;&|<>(){}]")


def _accepted(good: bool, value: str, why: str) -> str:
    if not good:
        raise ValueError(why)
    return value


def host(value: str) -> str:
    """`value`, when it can be where SSH leads to; ValueError says why it cannot."""
    wrong = value.startswith("-") or _FORBIDDEN.search(value) or not value.isprintable() or len(value) > 253
    return _accepted(not wrong, value, "an address is a host name, an IP address or a Host of ~/.ssh/config")


def login(value: str) -> str:
    """`value`, when it can be a login; ValueError says why it cannot."""
    good = value.isprintable() and 0 < len(value) <= 64 and value[0] != "-" and not _NO_LOGIN.search(value)
    return _accepted(good, value, "a login begins with no '-' and has no spaces, quotes or brackets")


def _plain(value: str) -> str:
    good = not value.startswith("-") and value.isprintable()
    return _accepted(good, value, "it begins with no '-' and has no control characters")


def _name(value: str) -> str:
    why = "a name has letters, digits, '.', '_' and '-' only, and starts with a letter or digit"
    return _accepted(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", value) is not None, value, why)


def _node_name(value: str) -> str:
    why = f"where a node may stand, {value} means something else"
    return _accepted(value not in RESERVED_NAMES, value, why)


def _folder(value: str) -> str:
    good = value[:1] in ("/", "~") and ":" not in value
    return _accepted(good, value, "a folder on the nodes begins with / or ~, and has no ':'")


RESERVED_NAMES = (
    "all",
    "serve",
    "container",
    "ray",
    "kernel",
    "nccl",
    "console",
    "sparkconsole",
    "this-machine",
)
"""All nodes, sources of `logs`, and what plans and findings call the machine that the console is on."""
Plain = Annotated[str, AfterValidator(_plain)]
Name = Annotated[str, AfterValidator(_name)]
"""A name that is safe in a path, a container name and a TOML key."""


class Overrides(BaseModel):
    """What a person may fix instead of having it detected; a node's word beats the cluster's."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    user: Annotated[str, AfterValidator(login)] | None = None
    """Login; None: as OpenSSH's configuration says, else the local user."""
    port: int | None = Field(default=None, ge=1, le=65535, strict=True)
    identity_file: Plain | None = None
    eth_if: Plain | None = None
    ib_if: tuple[Plain, ...] = ()
    hf_cache: Annotated[Plain, AfterValidator(_folder)] | None = None
    """Folder for what comes from the hub, as HF_HOME; None: as the login's own variables say."""
    docker_host: Annotated[str, AfterValidator(usable_url)] | None = None
    """Where its engine listens, unix:///PATH or tcp://HOST:PORT; None: as DOCKER_HOST or its context says."""


class Node(Overrides):
    """One machine."""

    name: Annotated[Name, AfterValidator(_node_name)]
    address: Annotated[str, Field(min_length=1), AfterValidator(host)]
    """Where SSH reaches it: a host name, an address, or a Host of ~/.ssh/config."""
    fabric_address: Annotated[str, Field(min_length=1), AfterValidator(host)] | None = None
    """Its address on the fast link; None: detected."""
    local: bool = Field(default=False, strict=True)
    """It is the machine the console runs on: nothing is asked over SSH. Without it only a literal address of
    this machine's own says so; where a name leads is for others to decide."""

    @model_validator(mode="before")
    @classmethod
    def _taken_apart(cls, fields: Any) -> Any:
        """`[USER@]HOST[:PORT]` and `ssh://…` may stand where the address does."""
        if not isinstance(fields, Mapping) or not isinstance(fields.get("address"), str):
            return fields
        user, host, port = login_words(fields["address"])
        parts = {key: value for key, value in (("user", user or None), ("port", port)) if value is not None}
        for key, value in parts.items():
            if fields.get(key) not in (None, value):
                raise ValueError(f"the address says {key} {value}, and {key} says {fields[key]}")
        return {**fields, "address": host, **parts}

    @property
    def endpoint(self) -> str:
        """Its address, with the port where one was said: two machines may lie behind one address."""
        return self.address if self.port is None else with_port(self.address, self.port)


class Cluster(Overrides):
    """Nodes that serve together; the first is the head."""

    name: Name = "default"
    image: Annotated[str, AfterValidator(image_name)] = "vllm-node"
    container: Name = "vllm_node"
    guard: bool = Field(default=False, strict=True)
    """Every server is ended before its memory freezes a machine, as `serve --guard` asks for one."""
    nodes: tuple[Node, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Cluster:
        for what, of in (("name", "name"), ("address", "endpoint")):
            values = [getattr(node, of) for node in self.nodes]
            twice = [value for at, value in enumerate(values) if value in values[:at]]
            if twice:
                raise ValueError(f"two nodes have the {what} {twice[0]!r}; each node is listed once")
        return self

    @property
    def head(self) -> Node:
        """The first node."""
        return self.nodes[0]

    def effective(self, node: Node) -> Node:
        """`node` with what the cluster says filled in where the node itself is silent."""
        silent = (key for key in Overrides.model_fields if getattr(node, key) in (None, ()))
        return node.model_copy(update={key: getattr(self, key) for key in silent})

    def node(self, name: str) -> Node | None:
        """The node of that name or address, if it is one of ours; no other that shares its address."""
        exact = [n for n in self.nodes if name in (n.name, n.endpoint)]
        found = exact or [n for n in self.nodes if name in (n.address, n.fabric_address)]
        return found[0] if len(found) == 1 else None

    def member(self, word: str) -> Node:
        """The node of that name or address; WrongUsage names the nearest, and all that there are."""
        if (found := self.node(word)) is not None:
            return found
        names = [n.name for n in self.nodes]
        hint = f"nodes: {', '.join(names)}" if names else "add it: sparkconsole node add NAME ADDRESS"
        raise WrongUsage(f"no node is called {word!r}{did_you_mean(word, names)}", hint=hint)


def login_words(text: str) -> tuple[str, str, int | None]:
    """User, host and port; empty, or None, where nothing was said. A bare IPv6 address has no port."""
    user, _, rest = text.removeprefix("ssh://").rstrip("/").rpartition("@")
    if (found := re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?", rest)) is not None:
        return user, found[1], int(found[2]) if found[2] else None
    host, colon, port = rest.rpartition(":")
    if colon and port.isdecimal() and len(port) <= 5 and ":" not in host:
        return user, host, int(port)
    return user, rest, None


def with_port(host: str, port: int) -> str:
    """The same again, in one word."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
