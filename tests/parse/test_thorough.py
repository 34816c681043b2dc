"""What only the doctor's look prints: words with values, listeners, containers, the kernel's counts."""

from __future__ import annotations

from sparkconsole.model.facts import Bystander, Listener
from sparkconsole.parse.machine.deep_probe import parse_deep_probe, parse_listeners, parse_versions

WORDS = """uid 1000
ssh yes
hotplug no
reboot yes
linger no
docker-group ann,bob
login KillUserProcesses no
login RemoveIPC yes
firmware rocep1s0f1 28.45.4028
firmware roceP2p1s0f1 28.45.4028
cuda 13.0
default enP7s7
default wlP9s9
cache-type ext2/ext3
compile vllm nfs
closed /home/ann/.cache/huggingface/hub
fwupd 1 device has a firmware upgrade available.
cache-free 123
"""


def test_words_become_what_they_say() -> None:
    found = parse_deep_probe({"thorough": WORDS, "kernel": "      3 NVRM: Xid\n", "containers": "asked\n"})
    assert (found.uid, found.ssh_folder, found.hotplug, found.reboot_required) == (1000, True, False, True)
    assert (found.lingers, found.nic_updater) == (False, None), "what was not said is unknown"
    assert found.docker_group == ("ann", "bob")
    assert found.login == {"KillUserProcesses": "no", "RemoveIPC": "yes"}
    assert set(found.firmware.values()) == {"28.45.4028"}
    assert found.default_routes == ("enP7s7", "wlP9s9")
    assert found.compile_cache_types == {"vllm": "nfs"}
    assert found.cache_closed.endswith("/hub")
    assert found.firmware_news.startswith("1 device")
    assert found.kernel_log == {"NVRM: Xid": 3}
    assert found.containers == ()


def test_the_boot_before_and_what_a_unit_clamps() -> None:
    parts = {"thorough": "uptime 93.2\nclamp gpu.service 2150\nclamp odd.service x\n", "cuda": "cuda 13.1\n"}
    for word, ended in (("ended orderly\n", True), ("ended abruptly\n", False), ("", None)):
        found = parse_deep_probe({**parts, "boot": word})
        assert (found.ended, found.uptime_s, found.cuda) == (ended, 93.2, "13.1")
        assert found.clamps == {"gpu.service": 2150}


def test_nothing_and_nonsense_say_nothing() -> None:
    for text in ("", "\n", "uid x\nssh perhaps\n\x1b[2J\nfirmware\n"):
        found = parse_deep_probe({"thorough": text})
        assert (found.uid, found.ssh_folder, found.firmware) == (None, None, {})
        assert found.containers is None, "docker was not asked"


def test_containers_count_only_when_docker_answered() -> None:
    line = "redis|running|Up 2 hours|redis:7|0.0.0.0:6379->6379/tcp\n"
    assert parse_deep_probe({"thorough": "", "containers": line}).containers is None
    found = parse_deep_probe({"thorough": "", "containers": f"{line}made|created\nasked\n"}).containers
    assert found == (
        Bystander("redis", "running", "Up 2 hours", "redis:7", "0.0.0.0:6379->6379/tcp"),
        Bystander("made", "created"),
    )


def test_listeners_of_ss() -> None:
    text = (
        'LISTEN 0      128          0.0.0.0:8265      0.0.0.0:*    users:(("python3",pid=7,fd=3))\n'
        "LISTEN 0      128        127.0.0.1:6379      0.0.0.0:*\n"
        "LISTEN 0      128             [::]:22           [::]:*\n"
        "LISTEN 0      128                *:80              *:*\n"
        "LISTEN 0      128   127.0.0.53%lo:53        0.0.0.0:*\n"
        "ESTAB 0 0 1.2.3.4:5 6.7.8.9:1\nLISTEN 0 1 nonsense:x y:*\n"
    )
    found = parse_listeners(text)
    assert found[0] == Listener("0.0.0.0", 8265, "python3")
    assert [(one.port, one.open) for one in found] == [
        (8265, True), (6379, False), (22, True), (80, True), (53, False),
    ]  # fmt: skip


def test_versions_of_an_image() -> None:
    assert parse_versions("vllm 0.15.1\nray 2.53.0\nWarning: no\nx y\n") == {
        "vllm": "0.15.1",
        "ray": "2.53.0",
    }
