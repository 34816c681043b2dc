"""What the system's own ssh makes of its configuration: `ssh -G`, so that the answer is the same as ssh's.

`ssh -G` has looked at every file, Include, Host and Match; some values it prints as they were written, and
their tokens (ssh_config(5), TOKENS) are filled in here.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import pwd
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sparkconsole.errors import WrongConfig
from sparkconsole.model.cluster import login_words
from sparkconsole.remote.ssh_config.place import SSH_PORT, SshDestination, hops, listed_files, paths

TIMEOUT_S = 15.0
"""`Match exec` and looking up canonical names take their time."""
_TOKEN = re.compile(r"%(.)")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
Keywords = Mapping[str, Sequence[str]]


def place_by_ssh(address: str, user: str | None, port: int | None) -> SshDestination | None:
    """Where ssh would go; None without an ssh on this machine, WrongConfig when it cannot read its files."""
    program = shutil.which("ssh")
    if program is None:
        return None
    given = (*(("-p", str(port)) if port else ()), *(("-l", user) if user else ()))
    return place_from(address, _keywords(_effective_configuration(program, given, address)))


def login_home() -> Path:
    """The home that ssh goes by, whatever HOME says."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def _effective_configuration(program: str, given: Sequence[str], address: str) -> str:
    home = Path.home()
    # With a HOME of its own a program keeps its files apart; ssh would go to the list of users for it.
    apart = () if home == login_home() else ("-F", "/dev/stdin")
    files = f'Include "{home}/.ssh/config"\nInclude /etc/ssh/ssh_config\n' if apart else ""
    try:
        done = subprocess.run(
            (program, *apart, "-G", *given, "--", address),
            input=files, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WrongConfig(f"`ssh -G {address}` gives no answer: {error}", hint="try it by hand") from error
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        wrong = [line for line in lines if "seudo-terminal" not in line and "terminating" not in line]
        raise WrongConfig(
            f"ssh refuses its configuration: {(wrong or lines or ['it says nothing'])[0][:300]}",
            hint=f"see it whole: ssh -G {address}",
        )
    return done.stdout


def _keywords(text: str) -> dict[str, list[str]]:
    """Each key's values, in order."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        values.setdefault(key.lower(), []).append(value)
    return values


def place_from(address: str, keywords: Keywords) -> SshDestination:
    """The place that the answer of `ssh -G` describes."""

    def one(key: str, default: str = "") -> str:
        return keywords.get(key, (default,))[0]

    home, host, user = login_home(), one("hostname", address), one("user") or getpass.getuser()
    port, alias = int(one("port", str(SSH_PORT))), one("hostkeyalias")
    tokens = _tokens(address, host, port, user, alias, one("proxyjump"), home)
    jumps = hops(filled(one("proxyjump", "none"), tokens, variables=False))
    if one("proxyusefdpass") == "yes":
        raise WrongConfig(
            f"{address}: ProxyUseFdpass cannot be used here",
            hint="reach it by a ProxyJump, or by ProxyCommand",
        )
    proxy = one("proxycommand", "none")

    def files(keys: Sequence[str]) -> tuple[Path, ...]:
        return tuple(_at_home(path, home) for path in paths([filled(k, tokens) for k in keys]))

    return SshDestination(
        address=address,
        host=host,
        port=port,
        user=user,
        alias=alias,
        jumps=jumps,
        proxy="" if jumps or proxy == "none" else filled(proxy, tokens, variables=False),
        keys=files(keywords.get("identityfile", ())),
        certificates=files(keywords.get("certificatefile", ())),
        agent=agent_socket(filled(one("identityagent", "SSH_AUTH_SOCK"), tokens)),
        named_keys_only=one("identitiesonly") == "yes",
        accepted_keys=_listed(one("pubkeyacceptedalgorithms")),
        key_login=one("pubkeyauthentication", "yes") not in ("no", "false")
        and "publickey" in one("preferredauthentications", "publickey").split(","),
        known_hosts=_known_hosts(one("userknownhostsfile"), one("globalknownhostsfile"), home),
        revoked=files(keywords.get("revokedhostkeys", ())),
        hashed_names=one("hashknownhosts") == "yes",
        takes_unseen=_unseen(one("stricthostkeychecking")),
        loopback_unchecked=one("nohostauthenticationforlocalhost") == "yes",
        family=one("addressfamily", "any").replace("any", ""),
        bind=one("bindaddress"),
        host_key_algorithms=_listed(one("hostkeyalgorithms")),
        ciphers=_listed(one("ciphers")),
        key_exchanges=_listed(one("kexalgorithms")),
        macs=_listed(one("macs")),
        connect_timeout_s=float(one("connecttimeout")) if one("connecttimeout").isdecimal() else None,
    )


def _known_hosts(users: str, everybodys: str, home: Path) -> tuple[Path, ...]:
    """What a login may believe; the first is the person's own, also where ssh was told that there is none."""
    own = paths(listed_files(users)) or (Path(os.devnull),)
    return tuple(_at_home(path, home) for path in (*own, *paths(listed_files(everybodys))))


def _unseen(checking: str) -> str:
    """`ssh -G` prints `no` and `off` as `false`, `yes` as `true`."""
    return {"accept-new": "accept-new", "false": "no", "no": "no", "off": "no"}.get(checking, "")


def _listed(words: str) -> tuple[str, ...]:
    return tuple(word for word in words.split(",") if word)


def _at_home(path: Path, home: Path) -> Path:
    """With a HOME of its own, what ssh puts below the login's home is below that."""
    own = Path.home()
    elsewhere = path.is_relative_to(home) and not path.is_relative_to(own)
    return own / path.relative_to(home) if elsewhere else path


def agent_socket(word: str) -> str:
    """IdentityAgent: `none`, SSH_AUTH_SOCK, the name of another variable, or a path."""
    if word == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    if word.startswith("$"):
        return os.environ.get(word[1:], "")
    return "" if word == "none" else os.path.expanduser(word)


def _tokens(
    address: str, host: str, port: int, user: str, alias: str, jump: str, home: Path
) -> dict[str, str]:
    name, local = socket.gethostname(), getpass.getuser()
    through = "" if jump == "none" else login_words(jump.rpartition(",")[2])[1]
    whole = hashlib.sha1(f"{name}{host}{port}{user}{jump}".encode(), usedforsecurity=False).hexdigest()
    return {
        "%": "%", "h": host, "p": str(port), "r": user, "n": address, "k": alias or address, "u": local,
        "d": str(home), "i": str(os.getuid()), "l": name, "L": name.partition(".")[0], "j": through,
        "C": whole,
    }  # fmt: skip


def filled(text: str, tokens: Mapping[str, str], *, variables: bool = True) -> str:
    """`text` with its tokens and `${VARIABLES}`; WrongConfig for one that there is not."""

    def token(found: re.Match[str]) -> str:
        if found[1] not in tokens:
            raise WrongConfig(
                f"ssh's configuration says {text!r}: %{found[1]} is not known here", hint=_TOKENS
            )
        return tokens[found[1]]

    def variable(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise WrongConfig(f"ssh's configuration says {text!r}: {found[1]} is not set", hint="set it")
        return os.environ[found[1]]

    done = _TOKEN.sub(token, text)
    return _VARIABLE.sub(variable, done) if variables else done


_TOKENS = "those that are known: % h p r n k u d i l L j C"
