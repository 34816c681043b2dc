"""How loud a line is in every spelling, what a later sign of life may say of it, and what is only quoted.

What these lines do not show: what real programs print around them.
"""

from __future__ import annotations

import pytest

from sparkconsole.model.logs.diagnosis import Weight, verdict
from sparkconsole.parse.diagnose.explain import examine

READY = "INFO:     Application startup complete."
ANSWERS = 'INFO:     10.0.0.1:5 - "GET /health HTTP/1.1" 200 OK'


def verdict_of(*lines: str) -> str:
    read = examine(lines)
    return verdict(read.found, [read.ending])


SERVER_FAILS = {
    "500": ['INFO:     10.0.0.1:5 - "POST /v1/chat/completions HTTP/1.1" 500 Internal Server Error'],
    "503": ['INFO:     10.0.0.1:5 - "GET /health HTTP/1.1" 503 Service Unavailable'] * 20,
    "504": ['INFO:     10.0.0.1:5 - "POST /v1/completions HTTP/1.1" 504 Gateway Timeout'],
    "died": ["(APIServer pid=1) INFO 11-24 07:00:00 [core_client.py:1] Engine core died unexpectedly"],
    "handshake": ["INFO 11-24 07:00:00 [kv.py:1] Failed to transfer KV blocks to peer: handshake rejected"],
    "gone": ["INFO 11-24 07:00:00 [x.py:1] Rank 1 stopped responding"],
    "lost": ["INFO 11-24 07:00:00 [kv.py:1] Connection to the connector was lost"],
    "silent": ["INFO 11-24 07:00:00 [x.py:1] Worker 1 has not acknowledged yet"] * 6,
    "nccl channel": [
        "spark-01:1:2 [0] NCCL INFO Channel 00 : connect failed to peer 10.0.0.2: state mismatch"
    ],
    "nccl trace": ["spark-01:1:2 [0] NCCL INFO init.cc:1777 -> 6"],
    "nccl trace 2": ["spark-01:1:2 [0] NCCL INFO transport/net.cc:312 -> 2 [Proxy Connect]"],
}


@pytest.mark.parametrize("lines", SERVER_FAILS.values(), ids=SERVER_FAILS)
def test_a_server_that_started_and_fails_is_not_healthy(lines: list[str]) -> None:
    assert verdict_of(READY, *lines) in ("wrong", "warning")


STAY = {
    "rust": "thread '<unnamed>' panicked at src/flux.rs:88:5:",
    "nccl": "spark-01:410:533 [0] misc/flux.cc:88 NCCL WARN flux ring has 3 poles, wants 2",
    "go": "panic: flux: ring has no pole",
    "goroutine": "goroutine 1 [running]:",
    "c++": "terminate called after throwing an instance of 'flux::ring_gone'",
    "oci": "OCI runtime exec failed: exec failed: flux ring has no pole: unknown",
    "docker detail": '{"errorDetail":{"code":1,"message":"flux ring"},"error":"flux ring"}',
    "json": '{"loglevel":"ERROR","message":"flux ring has no pole"}',
    "postgres": "2026-11-24 07:00:00.123 UTC [88] FATAL:  flux ring has no pole",
    "mysql": "2026-11-24T07:00:00.123456Z 0 [ERROR] [MY-010119] [Server] Aborting flux",
    "lockup": "Nov 24 07:00:00 spark-01 kernel: watchdog: BUG: soft lockup - CPU#3 stuck for 22s! "
    "[flux:4242]",
    "nvrm": "Nov 24 07:00:00 spark-01 kernel: NVRM: nvAssertFailedNoLog: Assertion failed: ring @ flux.c:88",
    "dependency": "Nov 24 07:00:00 spark-01 systemd[1]: Dependency failed for docker.service",
    "null": "[  12.345678] Unable to handle kernel NULL pointer dereference at virtual address "
    "0000000000000008",
    "killed": "the flux ring was killed",
    "died": "worker 3 died",
    "waited": "panic: timed out waiting for lock",
    "tried": "fatal: still no peer after 3 retries",
    "gave up": "attempt 5 failed, giving up",
}


@pytest.mark.parametrize("line", STAY.values(), ids=STAY)
def test_no_later_sign_of_life_makes_an_unknown_failure_well(line: str) -> None:
    assert verdict_of(READY, line, ANSWERS) in ("wrong", "warning")
    assert verdict_of(line, READY, ANSWERS) in ("wrong", "warning")


def test_another_stage_of_a_build_does_not_make_a_failed_one_well() -> None:
    done = "#14 naming to docker.io/library/vllm-node:latest done"
    assert verdict_of("#12 3.2 error: flux ring has no pole", "#13 DONE 3.0s", done) == "wrong"


SPELLINGS = {
    "ecs": '{"@timestamp":"2026-11-24T07:00:00Z","log.level":"error","message":"ring has no pole"}',
    "hclog": '{"@level":"error","@message":"ring has no pole"}',
    "serilog": '{"Timestamp":"2026-11-24T07:00:00","Level":"Error","Message":"ring has no pole"}',
    "pino": '{"level":50,"time":1763971200000,"msg":"ring has no pole"}',
    "journal json": '{"PRIORITY":"3","MESSAGE":"ring has no pole"}',
    "otel": '{"severity_text":"Error","body":"ring has no pole"}',
    "otel 2": '{"severityText":"FATAL","body":"ring has no pole"}',
    "gelf": '{"version":"1.1","host":"spark-01","short_message":"ring has no pole","level":3}',
    "bunyan": '{"name":"ring","level":60,"msg":"ring has no pole"}',
    "log15": 't=2026-11-24T07:00:00 lvl=eror msg="ring has no pole"',
    "late": '{"prompt":"' + "x" * 700 + '","level":"error","message":"ring has no pole"}',
    "late text": "a" * 500 + " error: ring has no pole",
    "logrus tty": "ERRO[0000] ring has no pole",
    "logrus fatal": "FATA[0012] ring has no pole",
    "dmesg raw": "<3>[   12.345678] flux ring has no pole",
    "dmesg -x": "kern  :err   : [   12.345678] flux ring has no pole",
    "dmesg -x crit": "daemon:crit  : [   12.345678] flux ring has no pole",
    "structlog": "2026-11-24 07:00:00 [error    ] ring has no pole               north=1",
    "spdlog": "[2026-11-24 07:00:00.123] [core] [error] ring has no pole",
    "trt": "[TRT-LLM] [E] ring has no pole",
    "trt 2": "[11/24/2026-07:00:00] [TRT-LLM] [E] ring has no pole",
    "absl": "E20261124 07:00:00.123456 4242 flux.cc:88] ring has no pole",
    "zap": "2026-11-24T07:00:00.123Z\tDPANIC\tflux/ring.go:88\tring has no pole",
    "nginx": "2026/11/24 07:00:00 [emerg] 1#1: ring has no pole",
    "nginx crit": "2026/11/24 07:00:00 [crit] 8#8: *1 ring has no pole",
    "apache": "[Tue Nov 24 07:00:00.123456 2026] [core:error] [pid 8] ring has no pole",
    "libc++abi": "libc++abi: terminating due to uncaught exception of type flux",
    "realloc": "realloc(): invalid next size",
    "free": "free(): invalid pointer",
    "corrupted": "malloc(): unsorted double linked list corrupted",
    "fpe": "Floating point exception (core dumped)",
    "fpe bare": "bash: line 1:  4242 Floating point exception ./ring",
    "trap": "Trace/breakpoint trap",
    "sys": "Bad system call",
    "zsh": "zsh: command not found: vllm",
    "tcsh": "vllm: Command not found.",
    "fish": "fish: Unknown command: vllm",
    "su": "su: Authentication failure",
    "sudo": "sudo: a password is required",
    "ssh silent": "Timeout, server spark-02 not responding.",
    "scp": "lost connection",
    "gzip": "gzip: stdin: not in gzip format",
    "mount": "mount: /mnt/models: special device /dev/nvme9n1 does not exist.",
    "buildx": "docker: 'buildx' is not a docker command.",
    "reference": "docker: invalid reference format.",
    "runc": "starting container process caused: exec: flux",
    "kubectl": 'Error from server (NotFound): pods "flux" not found',
    "ps": 'ab12   vllm-node   "/entry"   3 minutes ago   Exited (1) 2 minutes ago   vllm_node',
    "ps restarting": 'ab12   vllm-node   "/entry"   3 minutes ago   Restarting (1) 5 seconds ago   vllm_node',
    "inspect": '            "ExitCode": 1,',
    "apt": "Err:5 http://ports.ubuntu.com/ubuntu-ports noble/main arm64 flux",
    "apt 404": "  404  Not Found [IP: 10.0.0.9 80]",
    "dpkg": "dpkg: dependency problems prevent configuration of flux:",
    "configure": "configure: error: no acceptable C compiler found in $PATH",
    "configure 2": "configure: no acceptable C compiler found in $PATH",
    "perftest": "Completion with error at client",
    "perftest 2": " Failed status 12: wr_id 0 syndrom 0x81",
    "prte": "PRTE has lost communication with a remote daemon.",
    "npm": "npm error code ENOENT",
    "mpi": "MPI_ABORT was invoked on rank 0 in communicator MPI_COMM_WORLD",
    "signal": "flux terminated by signal 6",
    "hung": "INFO: task ring:4242 blocked for more than 120 seconds.",
    "hung kernel": "[  242.345678] INFO: task ring:4242 blocked for more than 120 seconds.",
    "rcu": "[  242.345678] rcu: INFO: rcu_preempt self-detected stall on CPU",
    "serror": "[  242.345678] SError Interrupt on CPU3, code 0x00000000be000011 -- SError",
    "ghes": "[  242.345678] {1}[Hardware Error]: event severity: fatal",
    "edac": "[  242.345678] EDAC MC0: 1 UE ring on pole (page:0x1)",
    "nvme": "[  242.345678] nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0",
    "calm words": "panic: shard 3 lost (errors=0, failed=0)",
    "calm words 2": "fatal: no errors were expected but the worker is gone",
    "calm words 3": "ERROR: 0 failed, 1 gone",
}


@pytest.mark.parametrize("line", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_of_an_error_is_one(line: str) -> None:
    assert verdict_of(READY, line) in ("wrong", "warning")


def test_a_log_whose_connection_ended_is_neither_wrong_nor_healthy() -> None:
    assert verdict_of(READY, "Connection to spark-02 closed by remote host.") == "unknown"


CALM = {
    "pino info": '{"level":30,"msg":"ring has a pole"}',
    "gelf info": '{"version":"1.1","short_message":"ring has a pole","level":6}',
    "journal info": '{"PRIORITY":"6","MESSAGE":"ring has a pole"}',
    "kernel info": "<6>[   12.345678] ring has a pole",
    "kernel said": "kern  :info  : [   12.345678] ring has a pole",
    "exit 0": '            "ExitCode": 0,',
    "ps": "ab12   vllm-node   Exited (0) 2 minutes ago   vllm_node",
    "summary": "100% tests passed, 0 tests failed out of 12",
    "summary 2": "12 passed, 0 errors",
    "a shell's trace": "+ exec vllm serve x --error-log /var/log/ERROR.log",
    "a trace within": "++ grep -q 'CUDA out of memory' /tmp/log",
    "setting": "VLLM_LOGGING_LEVEL=ERROR",
    "help": "  --fatal   Treat ERROR as FATAL",
    "trap": "+ trap 'echo FATAL: flux' ERR",
    "git": "HEAD is now at abc1234 [Bugfix] Fix error in ring: fatal crash",
    "pip": "Installing collected packages: retrying, error, exceptiongroup",
    "pip yanked": "ERROR: Ignored the following yanked versions: 0.1.0, 0.2.0",
    "rustc": "warning: unused variable: `error`",
    "ssh": "Warning: Permanently added '10.0.0.2' (ED25519) to the list of known hosts.",
    "no tty": "bash: cannot set terminal process group (-1): Inappropriate ioctl for device",
    "no tty 2": "bash: no job control in this shell",
    "ray ends": "(raylet) worker exits: type=INTENDED_SYSTEM_EXIT, detail: it was asked to, exit failed: 0",
    "ray metrics": (
        "[2026-11-24 07:00:00,123 E 88 99] core_worker_process.cc:842: Failed to establish connection to the "
        "metrics exporter agent. Metrics will not be exported. Exporter agent status: RpcError"
    ),
}


@pytest.mark.parametrize("line", CALM.values(), ids=CALM)
def test_what_only_looks_loud_is_no_finding(line: str) -> None:
    assert [d for d in examine([READY, line]).found if d.severity is not Weight.INFO] == []
    assert verdict_of(line, READY) == "healthy"


OVERCOME = {
    "cni": [
        'time="2026-11-24T07:00:00Z" level=error msg="failed to load cni during init, please check '
        'CRI plugin status"',
        'time="2026-11-24T07:00:00Z" level=info msg="containerd successfully booted in 0.03s"',
    ],
    "stopped": [
        "Nov 24 07:00:00 spark-01 systemd[1]: Stopping flux.service - Flux...",
        "Nov 24 07:00:01 spark-01 systemd[1]: flux.service: Main process exited, code=exited, status=143/n/a",
        "Nov 24 07:00:01 spark-01 systemd[1]: flux.service: Failed with result 'exit-code'.",
    ],
    "link": ["mlx5_core 0000:01:00.1 enp1s0f1np1: Link down", "mlx5_core 0000:01:00.1 enp1s0f1np1: Link up"],
    "attempt": ["download attempt 1 failed, retrying", "retry succeeded"],
    "curl": ["curl: (7) Failed to connect to localhost port 8888 after 0 ms: Couldn't connect to server"] * 3
    + ["200"],
    "hub": [
        "'(ReadTimeoutError(\"HTTPSConnectionPool(host='huggingface.co', port=443): Read timed "
        "out.\"), 'x')' "
        "thrown while requesting HEAD https://huggingface.co/x/resolve/main/config.json",
        "Retrying in 1s [Retry 1/5].",
        "Fetching 12 files: 100%|██████████| 12/12 [00:10<00:00]",
    ],
    "gcs": [
        "[2026-11-24 07:00:00,123 E 88 88] gcs_rpc_client.h:88: Failed to connect to GCS at 10.0.0.1:6379 "
        "within 5 seconds.",
        "Ray runtime started.",
    ],
}


@pytest.mark.parametrize("lines", OVERCOME.values(), ids=OVERCOME)
def test_what_was_overcome_is_no_finding(lines: list[str]) -> None:
    assert [d for d in examine([*lines, READY]).found if d.severity is not Weight.INFO] == []


@pytest.mark.parametrize("name", ["curl", "hub", "gcs", "link", "cni"])
def test_what_was_not_overcome_stays_a_finding(name: str) -> None:
    assert [d for d in examine(OVERCOME[name][:-1]).found if d.severity is not Weight.INFO] != []


def test_a_service_that_nobody_stopped_is_a_finding() -> None:
    assert verdict_of(*OVERCOME["stopped"][1:]) == "wrong"


def test_a_link_that_came_up_is_another_ones() -> None:
    up = "mlx5_core 0000:01:00.0 enp1s0f0np0: Link up"
    assert verdict_of(OVERCOME["link"][0], up, READY) == "warning"


def test_what_a_user_asked_of_the_model_is_no_finding() -> None:
    asked = (
        "INFO 11-24 07:00:00 [logger.py:42] Received request cmpl-1: prompt: 'why is this\\nTraceback (most "
        "recent call last): RuntimeError: CUDA out of memory, NVRM: Xid (PCI:000f:01:00): 79', params: x"
    )
    lines = [READY, asked, ANSWERS]
    assert [d for d in examine(lines).found if d.severity is not Weight.INFO] == []
    torn = [
        READY,
        "INFO 11-24 07:00:00 [logger.py:42] Received request cmpl-1: prompt: 'why is this",
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in f',
        "RuntimeError: flux ring is gone",
        "NVRM: Xid (PCI:000f:01:00): 79, pid=0, GPU has fallen off the bus.",
        "', params: SamplingParams(n=1), prompt_token_ids: [1], lora_request: None.",
        "INFO 11-24 07:00:01 [async_llm.py:1] Added request cmpl-1.",
        ANSWERS,
    ]
    assert [d for d in examine(torn).found if d.severity is not Weight.INFO] == []
    assert verdict_of(*torn, "NVRM: Xid (PCI:000f:01:00): 79, pid=0, GPU has fallen off the bus.") == "wrong"


STALLS = {
    "awaits": [f"07:2{i}:00 awaiting peers: 1/2 joined" for i in range(9)],
    "awaits without time": ["awaiting peers: 1/2 joined"] * 50,
    "any line without time": ["ring at pole 3"] * 50,
    "two in turn": [
        line for i in range(9) for line in (f"07:2{i}:00 ring at pole 3", f"07:2{i}:30 pole at ring 3")
    ],
    "a bar": ["Loading safetensors checkpoint shards:  45% Completed | 5/11 [10:00<12:00, 2.1s/it]"] * 30,
}


@pytest.mark.parametrize("lines", STALLS.values(), ids=STALLS)
def test_what_stands_still_is_a_stall(lines: list[str]) -> None:
    assert [d.id for d in examine(["pole 3 armed", *lines]).found if d.severity is Weight.ERROR] == [
        "stalled"
    ]
