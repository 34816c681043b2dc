"""`ssh HOST` and our login are one and the same to a server: user, key, port, way, whatever the files say.

The real ssh takes the home of whoever runs it from the list of users, never from HOME: here it runs with such
a list of its own, which takes root. What asyncssh's reader, which stands in where there is no ssh, reads in
another way is said in the table.
"""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh
import pytest

from sparkconsole.errors import ChangedHostKey, SparkError, UnknownHostKey, WrongConfig
from sparkconsole.remote.host_keys.known_hosts import trust
from sparkconsole.remote.ssh.login import shown_keys
from sparkconsole.remote.ssh_config.client_config import place
from tests.ssh_world import FAR, HOPS, NODE, SSH, Case, World, by_ssh, by_us, prepared, with_ssh, without_ssh

pytestmark = pytest.mark.programs

ALIASED = ((".ssh/known_far-away", "far-away <KEY>\n"), (".ssh/known_hosts", ""))
CASES = (
    Case("plain", FAR),
    Case("equals and quotes", 'Host far\n\tHostName="127.0.0.1"\n\tPort=<PORT>\n\tUser "ann"\n'),
    Case("a comment behind a value", FAR.replace("<PORT>", "<PORT> # the second sshd"), library="refuses"),
    Case("no user", FAR.replace("  User ann\n", "")),
    Case("the first value counts", FAR + "Host *\n  User eve\n  Port 1\n"),
    Case("negated pattern", "Host * !near\n  HostName 127.0.0.1\n  Port <PORT>\n  User ann\n"),
    Case("a time with a unit", FAR + "  ConnectTimeout 10s\n", library="refuses"),
    Case("unbound", FAR + "  PubkeyAuthentication unbound\n", library="refuses"),
    Case("another key", FAR + "  IdentityFile ~/.ssh/other\n"),
    Case("two keys in their order", FAR + "  IdentityFile ~/.ssh/other\n  IdentityFile ~/.ssh/id_ed25519\n"),
    Case("an absent key, then one", FAR + "  IdentityFile ~/.ssh/absent\n  IdentityFile ~/.ssh/other\n"),
    Case("%d", FAR + "  IdentityFile %d/.ssh/other\n"),
    Case(
        "tokens of a key",
        FAR + "  IdentityFile ~/.ssh/%h-%r-%n\n",
        more=((".ssh/127.0.0.1-ann-far", "<OTHER>"),),
    ),
    Case("a variable", FAR + "  IdentityFile ${KEYS}/other\n"),
    Case("IdentityAgent path", FAR + "  IdentityAgent <AGENT>\n", agent=("other",)),
    Case("IdentityAgent $VARIABLE", FAR + "  IdentityAgent $OTHER_AGENT\n", agent=("other",)),
    Case(
        "IdentityAgent SSH_AUTH_SOCK",
        FAR + "  IdentityAgent SSH_AUTH_SOCK\n",
        agent=("other",),
        variable="<AGENT>",
    ),
    Case("the agent", FAR, agent=("other", "id_ed25519"), variable="<AGENT>"),
    Case("IdentityAgent none", FAR + "  IdentityAgent none\n", agent=("other",), variable="<AGENT>"),
    Case(
        "IdentitiesOnly",
        FAR + "  IdentitiesOnly yes\n  IdentityFile ~/.ssh/id_ed25519\n",
        agent=("other", "id_ed25519"),
        variable="<AGENT>",
    ),
    Case(
        "a public key for the agent's",
        FAR + "  IdentitiesOnly yes\n  IdentityFile ~/.ssh/other.pub\n",
        agent=("id_ed25519", "other"),
        variable="<AGENT>",
    ),
    Case(
        "the named key of the agent first",
        FAR + "  IdentityFile ~/.ssh/other\n",
        agent=("id_ed25519", "other"),
        variable="<AGENT>",
    ),
    Case("a certificate", FAR + "  IdentityFile ~/.ssh/other\n  CertificateFile ~/.ssh/signed.pub\n"),
    Case(
        "Match exec",
        FAR.replace("  User ann\n", "") + 'Match exec "test %h = 127.0.0.1"\n  User exe\n',
        library="refuses",
    ),
    Case("Match exec that fails", 'Match exec "false"\n  User exe\n' + FAR),
    Case(
        "Match final",
        FAR.replace("  User ann\n", "") + "Match final host 127.0.0.1\n  User fin\n",
        library="differs",
    ),
    Case("Match originalhost", "Match originalhost far\n  HostName 127.0.0.1\n  Port <PORT>\n  User ann\n"),
    Case("Include", "Include conf.d/*.conf\n", more=((".ssh/conf.d/a.conf", FAR),)),
    Case(
        "the whole machine's file",
        FAR.split("  User", maxsplit=1)[0],
        system="Host far\n  User sys\n",
        library="differs",
    ),
    Case("HostKeyAlias", FAR + "  HostKeyAlias far-away\n", more=((".ssh/known_hosts", "far-away <KEY>\n"),)),
    Case(
        "UserKnownHostsFile with %d and %k",
        FAR + "  HostKeyAlias far-away\n  UserKnownHostsFile %d/.ssh/known_%k\n",
        library="refuses",
        more=ALIASED,
    ),
    Case(
        "two files of known hosts",
        FAR + "  UserKnownHostsFile ~/.ssh/none ~/.ssh/two\n",
        more=((".ssh/two", "[127.0.0.1]:<PORT> <KEY>\n"), (".ssh/known_hosts", "")),
    ),
    Case(
        "GlobalKnownHostsFile",
        FAR + "  GlobalKnownHostsFile <HOME>/all\n",
        more=(("all", "[127.0.0.1]:<PORT> <KEY>\n"), (".ssh/known_hosts", "")),
    ),
    Case("CanonicalizeHostname", FAR + "Host *\n  CanonicalizeHostname yes\n  CanonicalizeMaxDots 0\n"),
    Case(
        "AddressFamily",
        FAR.replace("127.0.0.1", "localhost") + "  AddressFamily inet\n",
        more=((".ssh/known_hosts", "[localhost]:<PORT> <KEY>\n"),),
    ),
    Case("BindAddress", FAR + "  BindAddress 127.0.0.5\n"),
    Case("Ciphers", FAR + "  Ciphers aes192-ctr\n", library="differs"),
    Case("HostKeyAlgorithms", FAR + "  HostKeyAlgorithms ssh-ed25519\n"),
    Case("ProxyJump", FAR + "  ProxyJump hop\n" + HOPS),
    Case("ProxyJump with user and port", FAR + "  ProxyJump jo@127.0.0.1:<HOP>\n"),
    Case("ProxyJump as an address", FAR + "  ProxyJump ssh://jo@127.0.0.1:<HOP>\n"),
    Case("a chain of jumps", FAR + "  ProxyJump hop,hip\n" + HOPS),
    Case("the jump host's own jump", FAR + "  ProxyJump hip\n" + HOPS + "  ProxyJump hop\n"),
    Case("ProxyJump none", FAR + "  ProxyJump none\nHost *\n  ProxyJump hop\n" + HOPS),
    Case("ProxyCommand", FAR + "  ProxyCommand <PYTHON> <HOME>/relay.py %h %p\n"),
    Case(
        "ProxyCommand with a percent sign of its own",
        FAR + "  ProxyCommand /bin/sh -c 'test \"$0\" = 5%% && exec <PYTHON> <HOME>/relay.py %h %p' 5%%\n",
    ),
    Case(
        "ProxyCommand that says something",
        FAR + "  ProxyCommand /bin/sh -c 'echo on >&2; exec <PYTHON> <HOME>/relay.py %h <PORT>'\n",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_server_sees_what_it_sees_of_ssh(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    await prepared(world, case, monkeypatch)
    with_ssh(world, tmp_path, monkeypatch, case.system)
    await by_ssh("far")
    expected = world.take()
    assert expected["far"], "ssh came there"
    await by_us(NODE)
    assert world.take() == expected
    # And where there is no ssh to be asked:
    without_ssh(tmp_path, monkeypatch)
    if case.library == "refuses":
        with pytest.raises(SparkError, match="spark1: "):
            await by_us(NODE)
        return
    await by_us(NODE)
    assert (world.take() == expected) == (case.library != "differs")


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 25


async def test_what_a_person_gave_beats_the_files(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.home / ".ssh/other"
    await prepared(world, Case("", FAR.replace("<PORT>", "1")), monkeypatch)
    with_ssh(world, tmp_path, monkeypatch, "")
    await by_ssh("-l", "bob", "-p", str(world.far.port), "-i", str(key), "far")
    expected = world.take()
    node = NODE.model_copy(update={"user": "bob", "port": world.far.port, "identity_file": str(key)})
    await by_us(node)
    assert world.take() == expected
    assert expected["far"] == [("bob", "other", "127.0.0.1", "usual")]


@pytest.mark.parametrize("checking", ["no", "accept-new", "off"])
async def test_what_ssh_would_trust_unseen_is_not_trusted(
    world: World, monkeypatch: pytest.MonkeyPatch, checking: str
) -> None:
    lax = FAR + f"  StrictHostKeyChecking {checking}\n  UserKnownHostsFile /dev/null\n"
    await prepared(world, Case("", lax, more=((".ssh/known_hosts", ""),)), monkeypatch)
    with pytest.raises(UnknownHostKey):
        await by_us(NODE)
    assert world.take()["far"] == []


REFUSED = (
    ("UseKeychain yes", "Bad configuration option: usekeychain"),
    ("Port many", "line 5"),
    ("IdentityFile ~/.ssh/%Q", ""),
    ("IdentityFile ${NOT_SET_ANYWHERE}/x", "NOT_SET_ANYWHERE is not set"),
    ("ProxyUseFdpass yes\n  ProxyCommand nc %h %p", "ProxyUseFdpass"),
    ("PubkeyAuthentication no", "PubkeyAuthentication no"),
    ("PreferredAuthentications password", "PreferredAuthentications"),
    ("RevokedHostKeys <HOME>/gone", "RevokedHostKeys"),
    ("ProxyCommand false", "ProxyCommand `false` leads to no SSH server"),
    ("ProxyCommand echo gone >&2", "and it said 'gone'"),
)


@pytest.mark.parametrize(("line", "said"), REFUSED, ids=[r[0][:20] for r in REFUSED])
async def test_what_cannot_be_done_is_said_with_the_word(
    world: World, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    if SSH is None:
        pytest.skip("ssh is not on this machine")
    await prepared(world, Case("", FAR + f"  {line}\n"), monkeypatch)
    with pytest.raises(SparkError, match=r"^spark1: ") as caught:
        await by_us(NODE)
    assert said in caught.value.cause
    assert world.take()["far"] == []


@pytest.mark.parametrize("kept", ["another key of it", "nothing", "no file"])
async def test_only_the_files_that_the_configuration_names_are_believed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    """`UserKnownHostsFile`: what ~/.ssh/known_hosts says of that host counts no more, as with ssh."""
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    lines = {"another key of it": f"[127.0.0.1]:<PORT> {stranger}\n", "nothing": "", "no file": None}[kept]
    more = () if lines is None else ((".ssh/kept", lines),)
    case = Case("", FAR + "  UserKnownHostsFile ~/.ssh/kept\n", more=more)
    await prepared(world, case, monkeypatch)
    with pytest.raises(ChangedHostKey if lines else UnknownHostKey):
        await by_us(NODE)
    assert world.take()["far"] == []
    if lines:
        return
    (shown,) = await shown_keys(NODE)
    assert trust(NODE, [shown]) == world.home / ".ssh/kept"
    await by_us(NODE)
    assert world.take()["far"] != []


async def test_a_kind_of_host_key_that_the_configuration_forbids_is_not_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepared(world, Case("", FAR + "  HostKeyAlgorithms rsa-sha2-512\n"), monkeypatch)
    with pytest.raises(SparkError):
        await by_us(NODE)
    assert world.take()["far"] == []


async def test_a_revoked_key_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    never = (("never", "<KEY>\n"),)
    await prepared(world, Case("", FAR + "  RevokedHostKeys <HOME>/never\n", more=never), monkeypatch)
    with pytest.raises(ChangedHostKey, match="must not be trusted"):
        await by_us(NODE)


@pytest.mark.parametrize("address", ["-oProxyCommand=touch x", "", "-F/dev/zero"])
def test_an_address_is_never_an_option_of_ssh(address: str) -> None:
    with pytest.raises(WrongConfig, match="cannot be a machine's address"):
        place(address)


def test_a_home_of_its_own_is_the_home(world: World) -> None:
    """A program with another HOME than the list of users says reads its own files, not the login's."""
    (world.home / ".ssh/config").write_text(world.filled(FAR) + "  IdentityFile ~/.ssh/%r\n")
    found = place("far")
    assert (found.port, found.user, found.keys) == (world.far.port, "ann", (world.home / ".ssh/ann",))


def test_one_question_for_one_answer(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a place is looked up; a file that was written is read again at once."""
    count = tmp_path / "count"
    folder = tmp_path / "counting"
    folder.mkdir()
    (folder / "ssh").write_text(f'#!/bin/sh\necho >>{count}\nexec {SSH} "$@"\n')
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    if SSH is None:
        pytest.skip("ssh is not on this machine")
    (world.home / ".ssh/config").write_text(world.filled(FAR))
    for _ in range(5):
        place("far")
    assert len(count.read_text()) == 1
    (world.home / ".ssh/config").write_text(world.filled(FAR).replace("ann", "eve"))
    assert place("far").user == "eve"
