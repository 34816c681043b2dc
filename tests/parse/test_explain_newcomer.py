"""What a newcomer asks of `explain`: who was killed, what followed what, and which machine went away."""

from __future__ import annotations

import pytest

from sparkconsole.model.logs.diagnosis import LineKind, Weight, paragraphs, ranked, verdict
from sparkconsole.parse.diagnose.explain import LogFindings, examine, explain, read

KERNEL = "Nov 29 10:00:00 spark-01 kernel: "


def of(text: str) -> LogFindings:
    return examine(text.split("\n"))


def first(text: str) -> tuple[str, Weight]:
    found = explain(text.split("\n"))
    return (found[0].id, found[0].severity) if found else ("", Weight.INFO)


# --- out of memory: who was killed, once

ASKED = f"{KERNEL}sshd invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0"
TASK = f"{KERNEL}oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=VLLM::Worker_TP,pid=5521,uid=0"
KILLED = f"{KERNEL}Out of memory: Killed process 5521 (VLLM::Worker_TP) total-vm:1kB, anon-rss:1kB"
REAPED = f"{KERNEL}oom_reaper: reaped process 5521 (VLLM::Worker_TP), now anon-rss:0kB"


def test_one_kill_is_told_once_with_its_victim_and_the_line_that_names_it() -> None:
    [one] = explain([ASKED, TASK, KILLED, REAPED])
    assert (one.count, "VLLM::Worker_TP" in one.text, "sshd" in one.text) == (1, True, False)
    assert one.line.startswith("Out of memory: Killed process 5521")


def test_two_kills_name_two_victims() -> None:
    other = KILLED.replace("5521 (VLLM::Worker_TP)", "6000 (ray::IDLE)")
    found = explain([ASKED, KILLED, ASKED.replace("sshd", "rsync"), other])
    assert [d.text.partition(": ")[2] for d in found] == ["VLLM::Worker_TP", "ray::IDLE"]


@pytest.mark.parametrize("head", ["[Sun Nov 29 10:00:00 2026] ", "kernel: ", "[ 1234.567890] "])
def test_a_kill_is_read_behind_every_head_of_the_kernel(head: str) -> None:
    [one] = explain([line.replace(KERNEL, head) for line in (ASKED, TASK, KILLED, REAPED)])
    assert one.line.startswith("Out of memory: Killed process 5521")


@pytest.mark.parametrize("lines", [[ASKED, TASK], [TASK, REAPED], [REAPED]])
def test_without_the_kernels_last_word_the_victim_is_still_named(lines: list[str]) -> None:
    [one] = explain(lines)
    assert "VLLM::Worker_TP" in one.text
    assert one.count == 1


def test_who_asked_for_memory_is_never_called_the_victim() -> None:
    [one] = explain([ASKED])
    assert "not in this log" in one.text
    assert "sshd" not in one.text


@pytest.mark.parametrize(
    ("line", "victim"),
    [
        ("Memory cgroup out of memory: Killed process 777 (ray::IDLE) total-vm:1kB", "ray::IDLE"),
        (
            "Nov 29 10:00:01 spark-01 systemd-oomd[800]: Killed /system.slice/docker-ab.scope due to memory "
            "pressure for /system.slice being 80.1% > 60.00% for > 20s",
            "/system.slice/docker-ab.scope",
        ),
        ('earlyoom[7]: sending SIGTERM to process 5521 uid 0 "VLLM::EngineCor": oom_score 900', "VLLM::Eng"),
    ],
)
def test_other_killers_name_their_victims_too(line: str, victim: str) -> None:
    [one] = explain([line])
    assert (one.severity, victim in one.text) == (Weight.ERROR, True)


# --- NCCL's watchdog

WATCHDOG = (
    "[rank1]:[E1129 10:00:00.1 ProcessGroupNCCL.cpp:632] [Rank 1] Watchdog caught collective operation "
    "timeout: WorkNCCL(SeqNum=91, OpType=ALLREDUCE, NumelIn=4096, Timeout(ms)=600000) ran for 600000 "
    "milliseconds before timing out."
)
FOLLOWERS = (
    "[rank1]:[E1129 10:00:00.2 ProcessGroupNCCL.cpp:683] [Rank 1] Some NCCL operations have failed or timed "
    "out. Due to the asynchronous nature of CUDA kernels, subsequent GPU operations might run on corrupted "
    "data.",
    "[rank1]:[E1129 10:00:00.2 ProcessGroupNCCL.cpp:689] [Rank 1] To avoid data inconsistency, we are taking "
    "the entire process down.",
    f"[rank1]:[E1129 10:00:00.3 ProcessGroupNCCL.cpp:1895] [PG ID 2 PG GUID 3 Rank 1] Process group watchdog "
    f"thread terminated with exception: {WATCHDOG.partition('] [')[2]}",
    "terminate called after throwing an instance of 'c10::DistBackendError'",
)


def test_a_collective_that_did_not_end_is_the_finding_and_what_follows_is_said_once() -> None:
    found = explain([WATCHDOG, *FOLLOWERS])
    assert (found[0].id, found[0].severity, found[0].rank) == ("nccl-watchdog", Weight.ERROR, 1)
    assert all(word in found[0].text for word in ("ALLREDUCE", "91"))
    said = "\n".join(paragraphs(found))
    assert said.count("ended the process") == 1
    assert "not known" not in said
    assert said.count("did not end in time") == 1


def test_a_cause_stands_before_the_watchdog() -> None:
    found = explain([WATCHDOG, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."])
    assert [(d.id, d.severity) for d in found] == [
        ("gpu-out-of-memory", Weight.ERROR),
        ("nccl-watchdog", Weight.INFO),
    ]


# --- nothing follows from what came later


@pytest.mark.parametrize(
    "early",
    [
        "NVRM: Xid (PCI:000f:01:00): 43, pid=42, name=VLLM::Worker, Ch 00000008",
        "RuntimeError: [pair.cc:553] Connection reset by peer",
    ],
)
def test_what_was_said_hours_before_follows_from_nothing_later(early: str) -> None:
    late = (
        "INFO 11-29 12:10:00 [shm_broadcast.py:1] No available shared memory broadcast block found in 60 s."
    )
    found = ranked((*read([KERNEL + early], "spark-01"), *read([late], "spark-02")))
    assert found[0].line == early
    assert found[0].severity is Weight.ERROR


def test_a_later_cause_does_not_explain_an_earlier_end() -> None:
    late = (
        "Nov 29 12:10:00 spark-01 kernel: NVRM: Xid (PCI:000f:01:00): 79, pid=0, GPU has fallen off the bus."
    )
    found = explain([f"{KERNEL}RuntimeError: [pair.cc:553] Connection reset by peer", late])
    assert [d.severity for d in found] == [Weight.ERROR, Weight.ERROR]
    assert "follows from it" not in "\n".join(paragraphs(found))


# --- logs that are fatal


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("thermal thermal_zone0: acpitz: critical temperature reached, shutting down", "machine-too-hot"),
        (
            "thermal thermal_zone3: SoC: critical temperature reached (105 C), shutting down",
            "machine-too-hot",
        ),
        ("HARDWARE PROTECTION shutdown (Temperature too high)", "machine-too-hot"),
        ("reboot: Power down", "machine-off"),
        ("reboot: Restarting system", "machine-off"),
        ("Power-Off", "machine-off"),
        ("PM: suspend entry (s2idle)", "machine-asleep"),
        ("PM: hibernation: hibernation entry", "machine-asleep"),
        ("watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [python3:4242]", "kernel-stuck"),
        ("rcu: INFO: rcu_sched self-detected stall on CPU", "kernel-stuck"),
        ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "kernel-stuck"),
        ("NMI watchdog: Watchdog detected hard LOCKUP on cpu 2", "kernel-stuck"),
        ("INFO: task VLLM::Worker:5521 blocked for more than 120 seconds.", "task-hung"),
    ],
)
def test_a_machine_that_goes_away_or_hangs_is_an_error(line: str, expected: str) -> None:
    assert first(f"INFO:     Application startup complete.\n{KERNEL}{line}") == (expected, Weight.ERROR)


@pytest.mark.parametrize(
    "line",
    [
        "systemd-logind[1]: The system will suspend now!",
        "systemd[1]: Reached target sleep.target - Sleep.",
        "systemd[1]: Starting systemd-suspend.service - System Suspend...",
        "gsd-power[1]: Automatic suspend: suspending very soon because of inactivity.",
        "systemd-logind[1]: Powering Off...",
        "systemd[1]: Reached target poweroff.target - System Power Off.",
    ],
)
def test_what_systemd_says_of_going_away_is_an_error_too(line: str) -> None:
    assert first(f"Nov 29 10:00:00 spark-01 {line}")[1] is Weight.ERROR


def test_a_machine_that_is_back_was_only_away() -> None:
    slept = of(f"{KERNEL}PM: suspend entry (deep)\n{KERNEL}PM: suspend exit")
    booted = of(f"{KERNEL}reboot: Restarting system\n{KERNEL}Booting Linux on physical CPU 0x0000000000")
    assert verdict(slept.found, [slept.ending]) == "warning"
    assert not [d for d in booted.found if d.severity is not Weight.INFO]


def test_a_lockup_is_told_beside_a_disk_that_failed() -> None:
    found = explain(
        [
            f"{KERNEL}nvme nvme0: I/O 12 QID 3 timeout, aborting",
            f"{KERNEL}watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [python3:4242]",
        ]
    )
    assert [(d.id, d.severity) for d in found] == [
        ("disk-failed", Weight.ERROR),
        ("kernel-stuck", Weight.ERROR),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "dockerd[991]: failed to start daemon: Error initializing network controller: x",
        "containerd[99]: containerd: failed to load TOML: /etc/containerd/config.toml: x",
        "sshd[99]: /etc/ssh/sshd_config line 12: Bad configuration option: Foo",
        "sshd[99]: fatal: Missing privilege separation directory: /run/sshd",
        "sshd[99]: sshd: no hostkeys available -- exiting.",
    ],
)
def test_a_service_that_refuses_to_start_is_an_error_that_is_known(line: str) -> None:
    assert first(f"Nov 29 10:00:00 spark-01 {line}") == ("daemon-refused", Weight.ERROR)


@pytest.mark.parametrize(
    "said",
    [
        "invalid character '}' looking for beginning of object key string",
        "the following directives are specified both as a flag and in the configuration file: hosts",
    ],
)
def test_a_docker_that_refuses_its_configuration_names_the_file_and_what_it_said(said: str) -> None:
    file = "unable to configure the Docker daemon with file /etc/docker/daemon.json: "
    [one] = explain([f"Nov 29 10:00:00 spark-01 dockerd[991]: {file}{said}"])
    assert (one.severity, f"/etc/docker/daemon.json: {said}" in one.text) == (Weight.ERROR, True)


def test_an_unknown_service_that_is_unable_to_start_is_an_error() -> None:
    assert first("Nov 29 10:00:00 spark-01 fluxd[9]: unable to start the flux: no ring")[1] is Weight.ERROR


def test_a_user_who_logs_out_switches_nothing_off() -> None:
    line = "Nov 29 10:00:00 spark-01 systemd[4242]: Reached target shutdown.target - Shutdown."
    assert explain([line]) == ()


def test_a_driver_that_cannot_be_asked_is_an_error() -> None:
    line = (
        "nvidia-persistenced[99]: Failed to query NVIDIA devices. Please ensure that the device files exist"
    )
    assert first(f"Nov 29 10:00:00 spark-01 {line}")[1] is Weight.ERROR


def test_an_unknown_line_is_not_said_to_call_itself_what_it_does_not() -> None:
    [one] = explain(["the flux daemon is unable to turn its ring"])
    assert "is a warning" not in one.why


TRACE = 'Traceback (most recent call last):\n  File "x.py", line 3, in f\n    hub()\n'
LIMIT = (
    "huggingface_hub.errors.HfHubHTTPError: 429 Client Error: Too Many Requests for url: https://huggingface"
)


@pytest.mark.parametrize("rest", ["", "\n\nWe had to rate limit your IP. To continue, create an account."])
def test_a_traceback_that_ends_the_log_ended_the_program(rest: str) -> None:
    [one] = of(TRACE + LIMIT + rest).found
    assert (one.id, one.severity, "429" in one.text, "rate limit" in one.text) == (
        "hub-slow",
        Weight.ERROR,
        True,
        True,
    )


def test_a_limit_after_which_the_program_went_on_stays_a_warning() -> None:
    [one] = of(f"{TRACE}{LIMIT}\nINFO 11-29 10:00:05 [x.py:1] Retrying in 1 s [Retry 1/5].").found[:1]
    assert one.severity is Weight.WARNING


# --- advice that fits


@pytest.mark.parametrize(
    "line",
    [
        "openai_harmony.HarmonyError: error downloading or loading vocab file: failed to download or load "
        "vocab file",
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='openaipublic.blob.core.windows.net', "
        "port=443): Max retries exceeded with url: /encodings/o200k_base.tiktoken",
    ],
)
def test_the_vocabulary_of_gpt_oss_is_named_with_what_helps(line: str) -> None:
    one = explain([line])[0]
    assert one.id == "vocabulary-not-downloaded"
    assert "TIKTOKEN_ENCODINGS_BASE" in one.remedy
    assert "build" not in one.remedy


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("curl: (6) Could not resolve host: huggingface.co", "huggingface.co"),
        (
            "E: Failed to fetch http://ports.ubuntu.com/x  Temporary failure resolving 'ports.ubuntu.com'",
            "ports.ubuntu.com",
        ),
        (
            "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co', port=443): Max "
            "retries (Caused by NameResolutionError(\"Failed to resolve 'huggingface.co' ([Errno -3] "
            'Temporary failure in name resolution)"))',
            "huggingface.co",
        ),
        (
            "docker: dial tcp: lookup registry-1.docker.io on 127.0.0.53:53: no such host",
            "registry-1.docker.io",
        ),
        ("wget: unable to resolve host address 'download.pytorch.org'", "download.pytorch.org"),
    ],
)
def test_a_name_that_is_not_resolved_is_named_and_asks_for_dns(line: str, host: str) -> None:
    one = explain([line])[0]
    assert (one.id, host in one.text, "DNS" in one.remedy) == ("name-not-resolved", True, True)
    assert "sparkconsole status" not in one.remedy


@pytest.mark.parametrize(
    "line",
    [
        "(raylet) The raylet exited immediately because one Ray agent failed, agent_name = dashboard_agent.",
        "raylet: agent failed: The version of `grpcio` doesn't follow Ray's requirement.",
    ],
)
def test_a_failed_agent_of_ray_points_to_grpcio_and_not_to_the_head(line: str) -> None:
    one = explain([line])[0]
    assert (one.id, "grpcio" in one.remedy, "head" in one.why) == ("ray-agent-failed", True, False)


@pytest.mark.parametrize(
    "line",
    [
        'ERROR 11-29 10:00:00 [serving_chat.py:1] "auto" tool choice requires --enable-auto-tool-choice and '
        "--tool-call-parser to be set",
        "ERROR 11-29 10:00:00 [x.py:1] ValueError: This model's maximum context length is 4096 tokens.",
        "ERROR 11-29 10:00:00 [serving_chat.py:1] The model `gpt-4` does not exist.",
        "ValueError: The decoder prompt (length 9000) is longer than the maximum model length of 4096.",
        '{"message":"This model\'s maximum context length is 4096 tokens","code":400}',
    ],
)
def test_a_request_that_is_refused_is_no_error_of_the_server(line: str) -> None:
    one = explain([line])[0]
    assert one.kind is LineKind.FACT
    assert one.severity is not Weight.ERROR
    assert "request" in one.text


def test_ranks_that_count_differently_are_known() -> None:
    line = "h:1:2 [0] bootstrap.cc:1 NCCL WARN Bootstrap Root : mismatch in rank count from procs 2 : 4"
    assert first(line) == ("nccl-rank-count", Weight.ERROR)


# --- boots that work

BOOT = """\
[    0.512345] ACPI Error: AE_NOT_FOUND, While resolving a named reference package element (20230628/dspk-438)
[    0.512346] ACPI BIOS Error (bug): Could not resolve symbol [PC00], AE_NOT_FOUND (20230628/psargs-330)
[    3.512346] nvidia: module verification failed: signature and/or required key missing - tainting kernel
[    4.512346] Bluetooth: hci0: Failed to load firmware file (-2)
[    4.512346] cfg80211: failed to load regulatory.db
[    4.512347] platform regulatory.0: Direct firmware load for regulatory.db failed with error -2
[    4.612346] integrity: Problem loading X.509 certificate -65
[    4.712346] mt7925e 0007:01:00.0: Failed to get patch semaphore"""


def test_the_noise_of_a_boot_is_nothing_wrong() -> None:
    assert not [d for d in of(BOOT).found if d.severity is not Weight.INFO]


def test_firmware_that_the_nic_lacks_is_no_noise() -> None:
    line = f"{KERNEL}mlx5_core 0000:01:00.0: Direct firmware load for mellanox/x.mfa2 failed with error -2"
    assert [d for d in explain([line]) if d.severity is not Weight.INFO]


@pytest.mark.parametrize(
    "line",
    [
        "systemd[1]: Started docker.service",
        "Nov 29 10:00:00 spark-01 systemd[1]: Started docker.service - Docker Application Container Engine.",
        "Nov 29 10:00:00 spark-01 systemd[1]: Reached target multi-user.target - Multi-User System.",
    ],
)
def test_a_service_that_started_is_a_sign_of_life(line: str) -> None:
    read_ = of(line)
    assert verdict(read_.found, [read_.ending]) == "healthy"
