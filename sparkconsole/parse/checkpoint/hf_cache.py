"""What a node says of its Hugging Face cache: its login's variables, or the folder cluster.toml names."""

from __future__ import annotations

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.hf_cache import HfCache, usual_cache
from sparkconsole.parse.values import plain_path


def parse_hf_cache(text: str, node: str) -> HfCache:
    """Lines `home PATH`, then `folder PATH` and perhaps `is hub`, or NAME=PATH of which the last counts."""
    rows = (line.partition(" ") for line in text.splitlines())
    values = {key: value for key, _, value in rows if plain_path(value) or (key, value) == ("is", "hub")}
    if "home" not in values:
        raise SparkError("its home folder is not known", hint="is $HOME set for that login?", node=node)
    home = values["home"].rstrip("/")
    if "folder" in values:
        return _named(values["folder"].rstrip("/"), hub="is" in values)
    data = {k: _path(v, home) for line in text.splitlines() for k, eq, v in (line.partition("="),) if eq}
    return _of_variables({k: v for k, v in data.items() if v}, home)


def _named(folder: str, *, hub: bool) -> HfCache:
    """As HF_HOME; a folder with models in it is the hub's own."""
    if hub or folder.endswith("/hub"):
        return HfCache(folder.rpartition("/")[0] or "/", folder, usual=False)
    return HfCache(folder, f"{folder}/hub", usual=False)


def _of_variables(values: dict[str, str], home: str) -> HfCache:
    usual = usual_cache(home)
    cache = values.get("XDG_CACHE_HOME")
    top = values.get("HF_HOME") or (f"{cache}/huggingface" if cache else usual.home)
    hub = values.get("HF_HUB_CACHE") or values.get("HUGGINGFACE_HUB_CACHE") or f"{top}/hub"
    return HfCache(top, hub, usual=(top, hub) == (usual.home, usual.hub))


def _path(text: str, home: str) -> str:
    """A whole path; empty for what is none."""
    path = f"{home}{text[1:]}" if text == "~" or text.startswith("~/") else text
    return plain_path(path.rstrip("/"))
