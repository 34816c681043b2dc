"""Asks a node, once a connection, where its login keeps what comes from the hub; cluster.toml wins."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.hf_cache import HfCache
from sparkconsole.parse.checkpoint.hf_cache import parse_hf_cache
from sparkconsole.remote.shell import Shell

# Most people export HF_HOME in a file that only interactive shells read, and a command over SSH is none.
# `setsid`: such a shell takes the terminal, and on the console's own machine that is the console's.
_ASK = r"""
said(){ timeout 5 setsid -w "${SHELL:-sh}" "$1" env </dev/null 2>/dev/null | grep -E "^($names)=[/~]"; }
names='HF_HOME|HF_HUB_CACHE|HUGGINGFACE_HUB_CACHE|XDG_CACHE_HOME'
printf 'home %s\n' "$HOME"
case $1 in
  '') said -lic || said -ic || said -c; env | grep -E "^($names)=[/~]" ;;
  *) c=$1; case $c in '~'|'~/'*) c=$HOME${c#'~'} ;; esac
     printf 'folder %s\n' "$c"
     for m in "$c"/models--*; do [ -d "$m" ] && [ ! -d "$c/hub" ] && echo 'is hub' && break; done ;;
esac; :
"""
_NAMED: WeakKeyDictionary[Shell, str] = WeakKeyDictionary()
_FOUND: WeakKeyDictionary[Shell, HfCache] = WeakKeyDictionary()


def keep_hub_at(shell: Shell, folder: str | None) -> None:
    """What cluster.toml says of that node: nobody is asked."""
    if folder:
        _NAMED[shell] = folder


async def hf_cache(shell: Shell) -> HfCache:
    """The node's cache; SparkError when it cannot be asked, or names a folder that cannot be mounted."""
    if (known := _FOUND.get(shell)) is not None:
        return known
    done = await shell.run(("sh", "-c", _ASK, "hf-cache", _NAMED.get(shell, "")), timeout=20)
    found = parse_hf_cache(done.checked().text, shell.node)
    for folder in (found.home, found.hub):
        if ":" in folder:
            raise SparkError(
                f"its model cache {folder!r} has a colon in its path, which docker cannot mount",
                hint="another HF_HOME there, or hf_cache in cluster.toml",
                node=shell.node,
            )
    _FOUND[shell] = found
    return found
