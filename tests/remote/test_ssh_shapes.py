"""More of what people write into ssh's configuration, and where we are stricter than ssh on purpose."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import asyncssh
import pytest

from sparkconsole.errors import ChangedHostKey, UnknownHostKey, WrongConfig
from sparkconsole.model.transfer.ends import Receiver, ssh_argv
from sparkconsole.remote.host_keys.known_hosts import KeyTrust, key_trust, trust
from sparkconsole.remote.host_keys.shown import host_key
from sparkconsole.remote.image_program.sending import far_argv
from sparkconsole.remote.ssh.login import shown_keys
from sparkconsole.remote.ssh_config.client_config import place
from sparkconsole.remote.ssh_config.openssh_config import place_from
from tests.programs import need
from tests.ssh_world import FAR, HERE, HOPS, NODE, Case, World, by_ssh, by_us, prepared, with_ssh

pytestmark = pytest.mark.programs

OTHER = FAR + "  IdentityFile ~/.ssh/other\n"
KNOWN = "[127.0.0.1]:<PORT> <KEY>\n"
BARE = "Host far\n  HostName 127.0.0.1\n  Port <PORT>\n"
CASES = (
    Case("tabs and no indentation", "host\tfar\nhostname\t127.0.0.1\nport\t<PORT>\nuser\tann\n"),
    Case("windows lines", FAR.replace("\n", "\r\n")),
    Case("spaces around equals", "Host = far\nHostName = 127.0.0.1\nPort = <PORT>\nUser = ann\n"),
    Case("several patterns", "Host near f?r\n  HostName 127.0.0.1\n  Port <PORT>\n  User ann\n"),
    Case("wildcard then negated", "Host !far *\n  User eve\n" + FAR),
    Case("Host quoted", 'Host "far"\n  HostName 127.0.0.1\n  Port <PORT>\n  User ann\n'),
    Case("user with backslash", BARE + "  User CORP\\ann\n"),
    Case("Match host", BARE + "Match host 127.0.0.1\n  User mat\n"),
    Case("Match originalhost negated", "Match originalhost !near,far\n  User mat\n" + BARE),
    Case("Match user", BARE + "  User ann\nMatch user ann\n  IdentityFile ~/.ssh/other\n"),
    Case("Match localuser", BARE + "Match localuser <ME>\n  User loc\n"),
    Case("Match all", BARE + "Match all\n  User all\n"),
    Case("Match exec with tokens", BARE + 'Match exec "test %n-%r = far-<ME>"\n  User exe\n'),
    Case("Match host exec", BARE + 'Match host 127.0.0.1 exec "true"\n  User exe\n'),
    Case("Match final all", BARE + "Match final all\n  User fin\n"),
    Case(
        "nested Include",
        "Include conf.d/*\n",
        more=((".ssh/conf.d/a", "Include ~/.ssh/b\n"), (".ssh/b", FAR)),
    ),
    Case(
        "Include in Host",
        "Host far\n  Include part\n",
        more=((".ssh/part", "HostName 127.0.0.1\nPort <PORT>\nUser ann\n"),),
    ),
    Case("Include several absent", "Include nothing-* ~/.ssh/part\n", more=((".ssh/part", FAR),)),
    Case("Include order", "Include z*\n", more=((".ssh/z1", FAR), (".ssh/z2", "Host far\n User eve\n"))),
    Case("jump by tokens", FAR + "  ProxyJump %r@127.0.0.1:<HOP>\n"),
    Case("three jumps", FAR + "  ProxyJump hop,hip,hop\n" + HOPS),
    Case(
        "jump with own key",
        FAR + "  ProxyJump hop\n" + HOPS.replace("User jim", "User jim\n IdentityFile ~/.ssh/other"),
    ),
    Case("jump with ssh:// and v6 brackets", FAR + "  ProxyJump ssh://jo@[127.0.0.1]:<HOP>\n"),
    Case(
        "jump whose way is a ProxyCommand",
        FAR
        + "  ProxyJump hop\n"
        + HOPS.replace("User jim", "User jim\n ProxyCommand <PYTHON> <HOME>/relay.py %h %p"),
    ),
    Case("ProxyCommand ssh -W", FAR + "  ProxyCommand ssh -W %h:%p hop\n" + HOPS),
    Case("ProxyCommand ssh -W [%h]:%p -q", FAR + "  ProxyCommand ssh -q -W [%h]:%p jim@hop\n" + HOPS),
    Case(
        "ProxyCommand %r %n",
        FAR + "  ProxyCommand sh -c 'test %r-%n = ann-far && exec <PYTHON> <HOME>/relay.py %h %p'\n",
    ),
    Case("ProxyCommand with variable", FAR + "  ProxyCommand $RELAY %h %p\n"),
    Case(
        "ProxyCommand percent",
        FAR + "  ProxyCommand sh -c 'test a%%b = a%%b && exec <PYTHON> <HOME>/relay.py %h %p'\n",
    ),
    Case(
        "ProxyCommand before ProxyJump",
        FAR + "  ProxyCommand <PYTHON> <HOME>/relay.py %h %p\n  ProxyJump hop\n" + HOPS,
    ),
    Case("ProxyCommand quoted words", FAR + '  ProxyCommand "<PYTHON>" <HOME>/relay.py %h %p\n'),
    Case("ProxyCommand none", FAR + "  ProxyCommand none\nHost *\n  ProxyCommand false\n"),
    Case(
        "certificate beside the key",
        FAR + "  IdentityFile ~/.ssh/mine\n",
        more=((".ssh/mine", "<OTHER>"), (".ssh/mine-cert.pub", "<SIGNED>")),
    ),
    Case(
        "certificate of an agent's key",
        FAR + "  CertificateFile ~/.ssh/signed.pub\n",
        agent=("other",),
        variable="<AGENT>",
    ),
    Case(
        "certificate with a variable",
        OTHER + "  CertificateFile ${KEYS}/%u-signed.pub\n",
        more=((".ssh/<ME>-signed.pub", "<SIGNED>"),),
    ),
    Case(
        "certificate of an agent's key by IdentityFile",
        FAR + "  IdentityFile ~/.ssh/mine.pub\n",
        agent=("other",),
        variable="<AGENT>",
        more=((".ssh/mine.pub", "<OTHERPUB>"), (".ssh/mine-cert.pub", "<SIGNED>")),
    ),
    Case("IdentityFile none", FAR + "  IdentityFile none\n", agent=("other",), variable="<AGENT>"),
    Case(
        "IdentityFile quoted with space",
        FAR + '  IdentityFile "~/.ssh/my key"\n',
        more=((".ssh/my key", "<OTHER>"),),
    ),
    Case(
        "IdentityFile by %u %h",
        FAR + "  IdentityFile ~/.ssh/%u@%h\n",
        more=((".ssh/<ME>@127.0.0.1", "<OTHER>"),),
    ),
    Case("IdentityAgent with space", FAR + '  IdentityAgent "<HOME>/a gent"\n', agent=("other",)),
    Case("IdentityAgent ${}", FAR + "  IdentityAgent ${OTHER_AGENT}\n", agent=("other",)),
    Case("IdentityAgent %d", FAR + "  IdentityAgent %d/agent\n", agent=("other",)),
    Case(
        "IdentitiesOnly and agent only",
        FAR + "  IdentitiesOnly yes\n  IdentityFile ~/.ssh/other\n",
        agent=("other", "id_ed25519"),
        variable="<AGENT>",
    ),
    Case(
        "only the public half beside IdentityFile",
        FAR + "  IdentitiesOnly yes\n  IdentityFile ~/.ssh/mine\n",
        agent=("id_ed25519", "other"),
        variable="<AGENT>",
        more=((".ssh/mine.pub", "<OTHERPUB>"),),
    ),
    Case("certificate without key", FAR + "  CertificateFile ~/.ssh/signed.pub\n"),
    Case(
        "certificate not accepted",
        OTHER + "  CertificateFile ~/.ssh/signed.pub\n  PubkeyAcceptedAlgorithms ssh-ed25519\n",
    ),
    Case(
        "known under port 22's name, one of two",
        FAR,
        more=((".ssh/known_hosts", "127.0.0.1 <STRANGER>\n127.0.0.1 <KEY>\n"),),
    ),
    Case(
        "IdentitiesOnly with certificate",
        FAR + "  IdentitiesOnly yes\n  IdentityFile ~/.ssh/other\n  CertificateFile ~/.ssh/signed.pub\n",
        agent=("other", "id_ed25519"),
        variable="<AGENT>",
    ),
    Case(
        "PubkeyAcceptedAlgorithms",
        FAR + "  IdentityFile ~/.ssh/curved\n"
        "  IdentityFile ~/.ssh/other\n  PubkeyAcceptedAlgorithms ssh-ed25519\n",
    ),
    Case(
        "PubkeyAcceptedAlgorithms minus",
        OTHER + "  IdentityFile ~/.ssh/curved\n  PubkeyAcceptedAlgorithms -ssh-ed25519*\n",
    ),
    Case(
        "PubkeyAcceptedKeyTypes",
        OTHER + "  IdentityFile ~/.ssh/curved\n  PubkeyAcceptedKeyTypes ecdsa-*\n",
    ),
    Case("PreferredAuthentications", FAR + "  PreferredAuthentications publickey,password\n"),
    Case(
        "PasswordAuthentication no", FAR + "  PasswordAuthentication no\n  KbdInteractiveAuthentication no\n"
    ),
    Case(
        "several known hosts",
        FAR + "  UserKnownHostsFile ~/.ssh/a ~/.ssh/b\n",
        more=((".ssh/a", ""), (".ssh/b", KNOWN), (".ssh/known_hosts", "")),
    ),
    Case(
        "known hosts quoted with space",
        FAR + '  UserKnownHostsFile "~/.ssh/my known" ~/.ssh/b\n',
        more=((".ssh/my known", KNOWN), (".ssh/known_hosts", "")),
    ),
    Case(
        "known hosts by variable",
        FAR + "  UserKnownHostsFile ${KEYS}/kept-%h\n",
        more=((".ssh/kept-127.0.0.1", KNOWN), (".ssh/known_hosts", "")),
    ),
    Case(
        "no user's known hosts",
        FAR + "  UserKnownHostsFile none\n  GlobalKnownHostsFile ~/.ssh/b\n",
        more=((".ssh/b", KNOWN), (".ssh/known_hosts", "")),
    ),
    Case(
        "HostKeyAlias with a port",
        FAR + "  HostKeyAlias away:7\n",
        more=((".ssh/known_hosts", "away:7 <KEY>\n"),),
    ),
    Case("HostKeyAlias upper", FAR + "  HostKeyAlias AWAY\n", more=((".ssh/known_hosts", "away <KEY>\n"),)),
    Case("known by wildcard", FAR, more=((".ssh/known_hosts", "[127.0.0.*]:<PORT> <KEY>\n"),)),
    Case(
        "known by wildcard and negation",
        FAR,
        more=((".ssh/known_hosts", "![127.0.0.2]:<PORT>,[127.0.0.*]:<PORT> <KEY>\n"),),
    ),
    Case("known under port 22's name", FAR, more=((".ssh/known_hosts", "127.0.0.1 <KEY>\n"),)),
    Case("CheckHostIP", FAR + "  CheckHostIP yes\n"),
    Case("StrictHostKeyChecking yes", FAR + "  StrictHostKeyChecking yes\n"),
    Case("StrictHostKeyChecking accept-new, known", FAR + "  StrictHostKeyChecking accept-new\n"),
    Case("StrictHostKeyChecking no, known", FAR + "  StrictHostKeyChecking no\n"),
    Case(
        "NoHostAuthenticationForLocalhost",
        FAR + "  NoHostAuthenticationForLocalhost yes\n",
        more=((".ssh/known_hosts", ""),),
    ),
    Case(
        "NoHostAuthenticationForLocalhost changed",
        FAR + "  NoHostAuthenticationForLocalhost yes\n",
        more=((".ssh/known_hosts", "[127.0.0.1]:<PORT> <STRANGER>\n"),),
    ),
    Case("LocalForward", FAR + "  LocalForward 127.0.0.1:<HOP> localhost:22\n  ExitOnForwardFailure no\n"),
    Case("RequestTTY", FAR + "  RequestTTY force\n"),
    Case("ControlMaster", FAR + "  ControlMaster auto\n  ControlPath ~/c\n  ControlPersist no\n"),
    Case("SendEnv SetEnv", FAR + "  SendEnv LANG LC_*\n  SetEnv A=b\n"),
    Case("IgnoreUnknown", "IgnoreUnknown UseKeychain,AddKeysToAgent\nUseKeychain yes\n" + FAR),
    Case("BindInterface", FAR + "  BindInterface lo\n"),
    Case(
        "BindAddress and jump",
        FAR
        + "  BindAddress 127.0.0.5\n  ProxyJump hop\n"
        + HOPS.replace("User jim", "User jim\n  BindAddress 127.0.0.6"),
    ),
    Case("IPQoS Compression", FAR + "  IPQoS none\n  Compression yes\n  TCPKeepAlive no\n"),
    Case("KexAlgorithms", FAR + "  KexAlgorithms ^ecdh-sha2-nistp256\n  MACs -hmac-md5\n"),
    Case("Ciphers plus", FAR + "  Ciphers +aes128-cbc\n"),
    Case("Ciphers only etm", FAR + "  Ciphers aes256-ctr\n  MACs hmac-sha2-256\n"),
    Case("HostKeyAlgorithms caret", FAR + "  HostKeyAlgorithms ^ecdsa-sha2-nistp256\n"),
    Case("RekeyLimit", FAR + "  RekeyLimit 1G 1h\n  ServerAliveInterval 5\n"),
    Case(
        "AddressFamily any v6",
        FAR.replace("127.0.0.1", "localhost") + "  AddressFamily any\n",
        more=((".ssh/known_hosts", "[localhost]:<PORT> <KEY>\n"),),
    ),
    Case(
        "CanonicalDomains",
        "CanonicalizeHostname always\nCanonicalDomains invalid localdomain\nCanonicalizeFallbackLocal yes\n"
        + FAR,
    ),
    Case("ConnectTimeout 0", FAR + "  ConnectTimeout 0\n"),
    Case("ConnectTimeout none", FAR + "  ConnectTimeout none\n"),
    Case("PermitRemoteOpen Tunnel", FAR + "  Tunnel no\n  ForwardAgent yes\n  ForwardX11 yes\n"),
    Case(
        "system Include",
        "",
        system="Host far\n  Include <HOME>/.ssh/part\n",
        more=((".ssh/part", "HostName 127.0.0.1\nPort <PORT>\nUser ann\n"),),
    ),
    Case(
        "system and own",
        FAR,
        system="Host *\n  HashKnownHosts yes\n  SendEnv LANG\n  GSSAPIAuthentication yes\n",
    ),
    Case("PKCS11Provider", FAR + "  PKCS11Provider none\n  SecurityKeyProvider internal\n"),
    Case("GatewayPorts etc", FAR + "  PermitLocalCommand yes\n  LocalCommand true\n  EscapeChar none\n"),
    Case("HostbasedAuthentication", FAR + "  HostbasedAuthentication yes\n  GSSAPIAuthentication yes\n"),
    Case("empty config and default user", "Host far\n  HostName 127.0.0.1\n  Port <PORT>\n# User eve\n"),
    Case("continued comment", "# first\n\n   # second\n" + FAR + "  # User eve\n"),
    Case("value with hash", BARE + '  User "an#n"\n'),
    Case("single quotes", BARE + "  User 'ann'\n"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_server_sees_what_it_sees_of_ssh(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    monkeypatch.setenv("RELAY", f"{sys.executable} {world.home}/relay.py")
    for name in ("a gent", "agent"):
        (world.home / name).symlink_to(world.agent)
    await prepared(world, case, monkeypatch)
    with_ssh(world, tmp_path, monkeypatch, world.filled(case.system))
    await by_ssh("far")
    expected = world.take()
    assert expected["far"], "ssh came there"
    await by_us(NODE)
    assert world.take() == expected


@pytest.mark.parametrize("line", ["RemoteCommand tmux attach\n  RequestTTY yes", "SessionType none"])
async def test_what_is_meant_for_a_person_at_a_terminal_does_not_hinder_us(
    world: World, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """`ssh far true` cannot be said with these; our commands are run all the same."""
    await prepared(world, Case("", FAR + f"  {line}\n"), monkeypatch)
    await by_us(NODE)
    assert world.take()["far"]


PEOPLES = (
    "Host *\n  RemoteCommand tmux\n  RequestTTY force\n  LocalForward 8000 localhost:80\n"
    "  ControlMaster auto\n  ControlPath ~/%C\n  ControlPersist yes\n"
)


async def test_what_the_sender_has_for_people_does_not_touch_a_copy(tmp_path: Path) -> None:
    """A sender's own ssh, by its own words (`ssh -G`), with the options of a copy: no command, no terminal,
    no forwarding, no connection of somebody else's."""
    need("ssh")
    (tmp_path / "config").write_text(PEOPLES)
    file = "-F", str(tmp_path / "config")
    program, *options = ssh_argv(Receiver("spark2", "192.0.2.7", "ann", 22, ()))
    said = (await HERE.run((program, *file, "-G", *options))).text.lower()
    for kept in ("remotecommand", "requesttty force", "localforward", "controlpath"):
        assert f"\n{kept}" not in said
    bare = (await HERE.run((program, *file, "-G", options[-1]))).text.lower()
    assert "\nremotecommand tmux" in bare
    assert "\ncontrolpath " in bare


async def test_the_port_of_a_copy_of_layers_is_there_although_nothing_else_is_forwarded() -> None:
    need("ssh")
    program, *options, _ = far_argv([*ssh_argv(Receiver("spark2", "192.0.2.7", "ann", 22, ()))], 7, "/f", {})
    said = (await HERE.run((program, "-G", *options))).text.lower()
    assert "\nclearallforwardings no" in said
    assert re.search(r"^remoteforward .*127\.0\.0\.1\]?:7 ", said, re.M)


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 94


@pytest.mark.parametrize("checking", ["accept-new", "off"])
async def test_where_we_ask_although_ssh_would_not_the_error_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, checking: str
) -> None:
    lax = FAR + f"  StrictHostKeyChecking {checking}\n"
    await prepared(world, Case("", lax, more=((".ssh/known_hosts", ""),)), monkeypatch)
    with pytest.raises(UnknownHostKey) as caught:
        await by_us(NODE)
    word = {"off": "no"}.get(checking, checking)
    assert f"ssh would take it unseen: StrictHostKeyChecking {word}" in caught.value.hint


@pytest.mark.parametrize("jump", ["ProxyJump hop", "HostKeyAlias away"])
async def test_loopback_behind_a_jump_or_under_an_alias_is_not_this_machine(
    world: World, monkeypatch: pytest.MonkeyPatch, jump: str
) -> None:
    """NoHostAuthenticationForLocalhost, as ssh has it."""
    hop = f"[127.0.0.1]:<HOP> {world.hop.key.export_public_key().decode()}"
    config = FAR + f"  NoHostAuthenticationForLocalhost yes\n  {jump}\n" + HOPS
    await prepared(world, Case("", config, more=((".ssh/known_hosts", hop),)), monkeypatch)
    with pytest.raises(UnknownHostKey):
        await by_us(NODE)
    assert world.take()["far"] == []


async def test_another_key_than_that_of_port_22_is_unknown_and_not_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = (".ssh/known_hosts", "127.0.0.1 <STRANGER>\n")
    await prepared(world, Case("", FAR, more=(known,)), monkeypatch)
    with pytest.raises(UnknownHostKey):
        await by_us(NODE)
    assert world.take()["far"] == []


@pytest.mark.parametrize("address", ["127.0.0.1", "far"])
async def test_names_are_hashed_where_the_configuration_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    config = FAR + "Host *\n  HashKnownHosts yes\n  Port <PORT>\n"
    await prepared(world, Case("", config, more=((".ssh/known_hosts", ""),)), monkeypatch)
    node = NODE.model_copy(update={"address": address})
    (shown,) = await shown_keys(node)
    kept = trust(node, [shown]).read_text()
    assert not {"127.0.0.1", "far"} & set(re.split(r"[^\w.]+", kept))
    assert "|1|" in kept
    await by_us(node)
    assert key_trust(node, shown) is KeyTrust.TRUSTED
    assert trust(node, [shown]).read_text() == kept
    with pytest.raises(ChangedHostKey):
        trust(node, [host_key(asyncssh.generate_private_key(shown.kind).convert_to_public())])


async def test_trust_is_never_written_into_the_file_of_everybody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = FAR + "  UserKnownHostsFile none\n  GlobalKnownHostsFile <HOME>/all\n"
    await prepared(world, Case("", config, more=(("all", "# ours\n"),)), monkeypatch)
    (shown,) = await shown_keys(NODE)
    assert trust(NODE, [shown]) == world.home / ".ssh/known_hosts"
    assert (world.home / "all").read_text() == "# ours\n"


def test_what_there_is_no_token_for_is_said(world: World) -> None:
    (world.home / ".ssh/config").write_text(world.filled(FAR) + "  ProxyJump %Q@hop\n")
    with pytest.raises(WrongConfig, match="%Q is not known"):
        place("far")


@pytest.mark.parametrize(("jump", "through"), [("ann@[::1]:22", "::1"), ("hop,ssh://ann@hip:7", "hip")])
def test_the_token_of_the_jump_host_is_its_name_alone(jump: str, through: str) -> None:
    there = place_from("far", {"proxyjump": (jump,), "identityfile": ("/keys/%j",)})
    assert there.keys == (Path("/keys") / through,)
