"""Each cause in several spellings, and public reports that were misread: the first finding is the right one.

The lines here are written by ourselves, so that a bare clone tests the same ground as the captures.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.model.logs.diagnosis import LineKind, Weight
from sparkconsole.parse.diagnose.explain import explain

REPORTS = {
    "build-conflicting-urls.txt": "package-conflict",
    "build-no-solution.txt": "package-not-for-this",
    "docker-import-json-missing.txt": "docker-blob-missing",
    "docker-load-eof.txt": "archive-cut-short",
    "docker-load-short-eof.txt": "archive-cut-short",
    "nccl-completion-error5.txt": "nccl-flushed",
    "nccl-pollconnect-retry.txt": "nccl-no-route",
    "nccl-proxy-connect-res3-spark.txt": "nccl-proxy-failed",
    "nccl-socket-family0.txt": "nccl-no-peer-address",
    "nccl-wrong-type.txt": "nccl-socket-mismatch",
    "no-module-or-parameter.txt": "model-part-unknown",
    "nvcc-path-colon.txt": "nvcc-missing",
    "pp-keyerror-experts.txt": "weights-not-mapped",
    "pp-keyerror-kv.txt": "layer-not-on-rank",
    "ray-autoscaler-node-address.txt": "ray-node-address",
    "ray-no-node-info.txt": "ray-not-a-member",
    "ray-register-worker-raylet.txt": "ray-worker-not-registered",
    "ray-worker-killed-257.txt": "ray-worker-ended",
    "smi-no-devices.txt": "gpu-not-seen",
    "tilde-lstat.txt": "path-with-tilde",
    "undefined-symbol-c10.txt": "libraries-differ",
}

FAMILIES: dict[str, tuple[str, ...]] = {
    "package-conflict": (
        "#14 0.301 error: Requirements contain conflicting URLs for package `torch`:",
        "ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.",
        "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io",
    ),
    "package-not-for-this": (
        "0.759   × No solution found when resolving dependencies:",
        "ERROR: Could not find a version that satisfies the requirement vllm==9.9 (from versions: none)",
        "ERROR: vllm-0.1-cp310-cp310-linux_x86_64.whl is not a supported wheel on this platform.",
        "ERROR: Package 'vllm' requires a different Python: 3.9.2 not in '>=3.10'",
    ),
    "docker-blob-missing": (
        "Error response from daemon: open /var/lib/docker/tmp/docker-import-77/abc/json: no such file or "
        "directory",
        "open /var/lib/docker/tmp/docker-import-12/blobs/sha256/ab12: no such file or directory",
        "Error response from daemon: content digest sha256:ab12: not found",
    ),
    "archive-cut-short": (
        "unexpected EOF",
        "tar: Unexpected EOF in archive",
        "gzip: stdin: unexpected end of file",
        "Error processing tar file(exit status 1): unexpected EOF",
        "zstd: /*stdin*\\: premature frame end",
    ),
    "nccl-flushed": (
        "spark-01:1:2 [0] NCCL WARN NET/IB : Got completion from peer 10.0.0.2<1> with status=5 opcode=0 "
        "len=0 vendor err 249",
        "NCCL WARN NET/IB: Got completion from peer 10.0.0.2<1> with error 5, opcode 129, len 0, vendor "
        "err 249",
        "mlx: wc.status = WR_FLUSH_ERR",
    ),
    "nccl-qp-error": (
        "NCCL WARN NET/IB : Got completion from peer 10.0.0.2<1> with error 12, opcode 0, len 0, vendor "
        "err 129",
        "NCCL WARN NET/IB : Got completion from peer 10.0.0.2<1> with status=13 opcode=0 len=0 vendor err "
        "130",
        "IBV_WC_RETRY_EXC_ERR on rocep1s0f1",
    ),
    "nccl-no-route": (
        "h:1:2 [0] NCCL INFO socketPollConnect: connect returned No route to host, retrying (30/34) after "
        "sleep",
        "h:1:2 [0] NCCL WARN socketPollConnect: connect to 10.0.0.9<5> returned Connection timed out, "
        "exceeded error retry",
        "h:1:2 [0] NCCL WARN socketStartConnect: Connect to 10.0.0.2<51234> failed : Network is unreachable",
    ),
    "nccl-proxy-failed": (
        "h:1:2 [0] proxy.cc:1716 NCCL WARN [Service thread] Error encountered progressing operation=Setup, "
        "res=2, closing",
        "h:1:2 [0] proxy.cc:1 NCCL WARN [Proxy Service 1] Error encountered progressing operation=Connect, "
        "res=3, closing",
    ),
    "nccl-no-peer-address": (
        "h:1:2 [0] NCCL WARN ncclSocketConnect: connecting to address with family 0 is neither AF_INET(2) "
        "nor AF_INET6(10)",
        "h:1:2 [0] NCCL WARN ncclSocketInit: connecting to address ?? with family 34562 is neither "
        "AF_INET(2) nor AF_INET6(10)",
    ),
    "nccl-socket-mismatch": (
        "h:1:2 [0] misc/socket.cc:441 NCCL WARN socketFinalizeAccept: wrong type 3 != 4",
        "h:1:2 [0] NCCL WARN socketFinalizeAccept: wrong magic 1 != 2",
    ),
    "nccl-no-interface": (
        "h:1:2 [0] bootstrap.cc:45 NCCL WARN Bootstrap : no socket interface found",
        "h:1:2 [0] NCCL WARN NET/Socket : No usable listening interface found",
    ),
    "nccl-gid-kinds": (
        "NCCL WARN Call to ibv_modify_qp failed with 22 Invalid argument, on dev roceP2p1s0f1:1, local GID "
        "::ffff:10.0.0.1",
    ),
    "nccl-memory-not-registered": (
        "NCCL WARN Call to ibv_reg_mr failed with error Cannot allocate memory",
        "NCCL WARN Call to ibv_reg_mr_iova2 failed with error Cannot allocate memory",
        "perftest: Couldn't allocate MR",
        "Call to ibv_reg_dmabuf_mr failed",
    ),
    "model-part-unknown": (
        "ValueError: There is no module or parameter named 'visual.merger' in Qwen9ForCausalLM",
        "(EngineCore pid=1) ERROR 11-24 07:00:00 [core.py:1] ValueError: There is no module or parameter "
        "named 'a.b' in X",
    ),
    "nvcc-missing": (
        "/bin/sh: 1: :/usr/local/cuda/bin/nvcc: not found",
        "bash: line 1: nvcc: command not found",
        "FileNotFoundError: [Errno 2] No such file or directory: '/usr/local/cuda/bin/nvcc'",
        "OSError: CUDA_HOME environment variable is not set. Please set it to your CUDA install root.",
        "RuntimeError: Could not find nvcc and default cuda_home='/usr/local/cuda' doesn't exist",
    ),
    "toolkit-too-old": (
        "nvcc fatal   : Unsupported gpu architecture 'compute_121a'",
        "ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'",
        "triton.runtime.errors.PTXASError: PTXAS error: Internal Triton PTX codegen error `ptxas` stderr: "
        "ptxas fatal : Value 'sm_121a' is not defined for option 'gpu-name'",
    ),
    "weights-not-mapped": (
        "KeyError: 'layers.3.mlp.experts.w13_weight'",
        "(Worker_TP1 pid=9) ERROR 11-24 07:00:00 [x.py:1] KeyError: "
        "'model.layers.12.mlp.gate_up_proj.weight_packed'",
    ),
    "layer-not-on-rank": ("KeyError: 'model.layers.31.self_attn.attn'", "KeyError: 'backbone.layers.2.mixer"
    "'"),
    "ray-node-address": (
        "(autoscaler +13s) Error: No available node types can fulfill resource request {'node:10.0.0.9': "
        "0.001, 'GPU': 1.0}.",
    ),
    "ray-not-a-member": (
        "RuntimeError: No node info found matching attributes: '' when trying to resolve node to connect to.",
    ),
    "ray-worker-not-registered": (
        "[2026-06-13 16:11:51,588 E 1 1] core_worker.cc:228: Failed to register worker 01ff to Raylet. "
        "IOError: x",
        "(raylet) Unable to register worker with raylet. No such file or directory",
    ),
    "ray-worker-ended": (
        "(raylet) A worker died or was killed while executing a task by an unexpected system error. Worker "
        "exit type: "
        "SYSTEM_ERROR Worker exit detail: End of file. There are some potential root causes. (1) The "
        "process is killed by "
        "SIGKILL by OOM killer due to high memory usage. (2) ray stop --force is called.",
        "ray.exceptions.WorkerCrashedError: The worker died unexpectedly while executing this task.",
    ),
    "ray-versions-differ": (
        "RuntimeError: Version mismatch: The cluster was started with:",
        "RuntimeError: Python version mismatch between driver and cluster",
    ),
    "ray-too-few-gpus": ("ValueError: Cannot provide a placement group requiring 4 GPUs within 1800 "
    "seconds.",),
    "gpu-not-seen": ("No devices were found", "NVRM: GPU 000f:01:00.0: RmInitAdapter failed! "
    "(0x62:0x55:2477)"),
    "driver-mismatch": (
        "Failed to initialize NVML: Driver/library version mismatch",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "Nov 24 07:00:00 spark-01 kernel: NVRM: API mismatch: the client has the version 580.95.05",
    ),
    "path-with-tilde": (
        "lstat /home/u/~: no such file or directory",
        "FileNotFoundError: [Errno 2] No such file or directory: '/workspace/~/.cache/x'",
        "rsync: change_dir \"/home/u/~/models\" failed: No such file or directory (2)",
    ),
    "libraries-differ": (
        "ImportError: /x/vllm/_C.abi3.so: undefined symbol: _ZN3c104cuda9SetDeviceEab",
        "ImportError: /lib/aarch64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by /x/y.so)",
        "OSError: /x/libtorch_cuda.so: undefined symbol: ncclCommWindowRegister",
    ),
    "compiler-killed": (
        "#21 812.4 c++: fatal error: Killed signal terminated program cc1plus",
        "nvcc error   : 'cicc' died due to signal 9 (Kill signal)",
        "LLVM ERROR: out of memory",
    ),
    "gpu-out-of-memory": (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total "
        "capacity of 121.69 GiB",
        "RuntimeError: CUDA error: out of memory",
        "torch.AcceleratorError: CUDA error: out of memory",
    ),
    "length-over-cache": (
        "ValueError: To serve at least one request with the models's max seq len (262144), (24.00 GiB KV "
        "cache is needed, "
        "which is larger than the available KV cache memory (3.10 GiB). Based on the available memory, ...",
    ),
    "no-cache-blocks": ("ValueError: No available memory for the cache blocks. Try increasing "
    "`gpu_memory_utilization`",),
    "length-over-model": (
        "Value error, User-specified max_model_len (999999) is greater than the derived max_model_len "
        "(40960)",
    ),
    "hub-gated": (
        "huggingface_hub.errors.GatedRepoError: 403 Client Error. (Request ID: x)",
        "Cannot access gated repo for url https://huggingface.co/x/resolve/main/config.json.",
    ),
    "hub-unauthorised": (
        "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://huggingface.co/api/models/x",
        "httpx.HTTPStatusError: Client error '401 Unauthorized' for url 'https://huggingface.co/x'",
    ),
    "disk-full": (
        "OSError: [Errno 28] No space left on device",
        "#9 12.1 tar: x: Cannot write: No space left on device",
        "write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
    ),
    "port-taken": (
        "OSError: [Errno 98] Address already in use",
        "docker: Error response from daemon: driver failed programming external connectivity: Bind for "
        "0.0.0.0:8000 failed: "
        "port is already allocated.",
    ),
    "docker-other-platform": ("no matching manifest for linux/arm64 in the manifest list",),
    "exec-format": ("exec /usr/bin/bash: exec format error", "./run: cannot execute: Exec format error"),
    "docker-not-permitted": (
        "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
        "dial unix /var/run/docker.sock: connect: permission denied",
    ),
    "tokenizer-broken": ("OSError: Can't load tokenizer for 'x/y'.", "ValueError: Tokenizer class FooTok "
    "does not exist"),
    "model-type-unknown": (
        "ValueError: The checkpoint you are trying to load has model type `foo9` but Transformers does not "
        "recognize this "
        "architecture.",
        "ValueError: Model architectures ['Foo9ForCausalLM'] are not supported for now.",
    ),
    "quantisation-wrong": ("ValueError: Unknown quantization method: foo. Must be one of ['awq', 'gptq'].",),
    "certificate-refused": (
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
        "certificate is not yet valid",
        "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current "
        "time 1970-01-01",
    ),
    "huge-pages": ("DPDK: Cannot get hugepage information; HugePages allocation failed",),
    "download-failed": (
        "curl: (22) The requested URL returned error: 404",
        "#8 3.1 curl: (6) Could not find host flux.example",
        "error: Failed to fetch: `https://wheels.example/x.whl`",
    ),
    "process-exited": ("vllm_node exited with code 139", "container ended, exit status 134", "ExitCode: 127"),
    "cuda-error-number": ("RuntimeError: CUDA driver error: 803", "cudaError_t(700)"),
    "gpu-xid": ("NVRM: Xid (PCI:000f:01:00): 13, pid=42, name=VLLM::Worker", "GPU reported Xid 31"),
}  # fmt: skip


@pytest.mark.parametrize(("capture", "expected"), REPORTS.items(), ids=REPORTS)
def test_a_public_report_has_its_right_first_finding(
    captures_of_others: Path, capture: str, expected: str
) -> None:
    path = captures_of_others / "reports" / capture
    assert explain(path.read_text(errors="replace").splitlines())[0].id == expected


@pytest.mark.parametrize(
    ("line", "expected"), [(line, name) for name, lines in FAMILIES.items() for line in lines], ids=str
)
def test_every_spelling_of_a_cause_is_found_as_that_cause(line: str, expected: str) -> None:
    found = explain([line])
    assert (found[0].id, found[0].severity) == (expected, Weight.ERROR)


@pytest.mark.parametrize("expected", REPORTS.values())
def test_every_report_has_lines_of_our_own(expected: str) -> None:
    assert expected in FAMILIES


# --- possibilities, victims, numbers


def test_a_list_of_what_might_be_is_no_cause() -> None:
    line = (
        "(raylet) A worker died or was killed while executing a task by an unexpected system error. There "
        "are some potential "
        "root causes. (1) The process is killed by SIGKILL by OOM killer due to high memory usage."
    )
    assert [(d.id, d.kind) for d in explain([line])] == [("ray-worker-ended", LineKind.END)]
    assert explain(["the ring stopped; possible causes: CUDA out of memory, No space left on device"]) == ()


def test_a_flushed_request_points_to_the_failure_before_it() -> None:
    flushed = (
        "NCCL WARN NET/IB : Got completion from peer 10.0.0.3<5> with error 5, opcode 0, len 0, "
        "vendor err 249"
    )
    retried = (
        "NCCL WARN NET/IB : Got completion from peer 10.0.0.3<5> with error 12, opcode 0, len 0, "
        "vendor err 129"
    )
    [alone] = explain([flushed])
    assert (alone.kind, "before it" in alone.why) == (LineKind.CONSEQUENCE, True)
    both = explain([flushed, retried])
    assert [(d.id, d.severity) for d in both] == [
        ("nccl-qp-error", Weight.ERROR),
        ("nccl-flushed", Weight.INFO),
    ]
    assert "RETRY_EXC_ERR: the other end did not acknowledge" in both[0].text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("NVRM: Xid (PCI:000f:01:00): 43, pid=4, Ch 00000008", "the program's work stopped"),
        ("NVRM: Xid (PCI:000f:01:00): 45, pid=4, Ch 00000008, preemptive channel removal", "earlier error"),
        ("[c10d] it stopped (errno: 113)", "EHOSTUNREACH"),
        (
            "proxy.cc:1 NCCL WARN [Service thread] Error encountered progressing operation=Connect, res=6, x",
            "ncclRemoteError",
        ),
        ("vllm_node exited with code 137", "killed"),
        ("CUDA error: 222", "PTX of a newer CUDA"),
    ],
)
def test_numbers_are_read_by_their_own_tables(line: str, words: str) -> None:
    assert words in explain([line])[0].text


def test_an_event_that_names_an_earlier_one_is_no_cause() -> None:
    found = explain(["RuntimeError: the ring stopped, see root cause above", "flux.RingError: no pole"])
    assert (found[0].line, found[1].kind) == ("flux.RingError: no pole", LineKind.CONSEQUENCE)


def test_registering_memory_names_both_that_it_may_be() -> None:
    [found] = explain(["NCCL WARN Call to ibv_reg_mr failed with error Cannot allocate memory"])
    assert all(words in found.why for words in ("memlock", "KHO"))
    assert all(words in found.remedy for words in ("memlock", "kho=off", "6.17"))
