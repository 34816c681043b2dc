"""Who belongs to the cluster and what a person said about each: the shape of cluster.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sparkconsole.errors import WrongUsage
from sparkconsole.model.docker_host import usable_url
from sparkconsole.model.image.reference import image_name
from sparkconsole.model.login_words import address as _address
from sparkconsole.model.login_words import login as _login
from sparkconsole.model.login_words import login_words, with_port
from sparkconsole.model.text.nearest import did_you_mean


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError(
            "a name has letters, digits, '.', '_' and '-' only, and starts with a letter or digit"
        )
    return value


Name = Annotated[str, AfterValidator(_name)]
"""A name that is safe in a path, a container name and a TOML key."""


class Overrides(BaseModel):
    """What a person may fix instead of having it detected; a node's word beats the cluster's."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    user: Annotated[str, AfterValidator(_login)] | None = None
    """Login; None: as OpenSSH's configuration says, else the local user."""
    port: int | None = Field(default=None, ge=1, le=65535)
    identity_file: str | None = None
    eth_if: str | None = None
    ib_if: tuple[str, ...] = ()
    hf_cache: str | None = Field(default=None, pattern=r"^[/~][^:\n]*$")
    """Folder for what comes from the hub, as HF_HOME; None: as the login's own variables say."""
    docker_host: Annotated[str, AfterValidator(usable_url)] | None = None
    """Where its engine listens, unix:///PATH or tcp://HOST:PORT; None: as DOCKER_HOST or its context says."""


class Node(Overrides):
    """One machine."""

    name: Name
    address: Annotated[str, Field(min_length=1), AfterValidator(_address)]
    """Where SSH reaches it: a host name, an address, or a Host of ~/.ssh/config."""
    fabric_address: Annotated[str, Field(min_length=1), AfterValidator(_address)] | None = None
    """Its address on the fast link; None: detected."""
    local: bool = False
    """It is the machine the console runs on: nothing is asked over SSH. Without it only a literal address of
    this machine's own says so; where a name leads is for others to decide."""

    @model_validator(mode="before")
    @classmethod
    def _taken_apart(cls, said: Any) -> Any:
        """`[USER@]HOST[:PORT]` and `ssh://…` may stand where the address does."""
        if not isinstance(said, Mapping) or not isinstance(said.get("address"), str):
            return said
        user, host, port = login_words(said["address"])
        parts = {"user": user or None, "port": port}
        for key, value in parts.items():
            if value is not None and said.get(key) not in (None, value):
                raise ValueError(f"the address says {key} {value}, and {key} says {said[key]}")
        return {**said, "address": host} | {key: value for key, value in parts.items() if value is not None}

    @property
    def endpoint(self) -> str:
        """Its address, with the port where one was said: two machines may lie behind one address."""
        return self.address if self.port is None else with_port(self.address, self.port)


class Cluster(Overrides):
    """Nodes that serve together; the first is the head."""

    name: Name = "default"
    image: Annotated[str, AfterValidator(image_name)] = "vllm-node"
    container: Name = "vllm_node"
    guard: bool = False
    """Every server is ended before its memory freezes a machine, as `serve --guard` asks for one."""
    nodes: tuple[Node, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Cluster:
        for what, of in (("name", "name"), ("address", "endpoint")):
            seen: set[str] = set()
            for node in self.nodes:
                value = getattr(node, of)
                if value in seen:
                    raise ValueError(f"two nodes have the {what} {value!r}; each node is listed once")
                seen.add(value)
        return self

    @property
    def head(self) -> Node:
        """The first node."""
        return self.nodes[0]

    def effective(self, node: Node) -> Node:
        """`node` with what the cluster says filled in where the node itself is silent."""
        silent = {
            key: getattr(self, key) for key in Overrides.model_fields if getattr(node, key) in (None, ())
        }
        return node.model_copy(update=silent)

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
