"""Kinds of failures that public reports tell in many spellings: each kind by lines of our own."""

from __future__ import annotations

KINDS: dict[str, tuple[str, ...]] = {
    "kernel-too-large": (
        "triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 200000, Hardware "
        "limit: 101376.",
        "torch._inductor.exc.InductorError: RuntimeError: No valid triton configs. out of resource: x "
        "Required: 9",
    ),
    "kernel-library-refused": (
        "RuntimeError: Assertion error (csrc/flux/ring.hpp:45): poles == 4",
        "RuntimeError: Failed: Assertion error csrc/flux/pole.hpp:5 'Unknown ring'",
        "RuntimeError: Error in function 'FluxRingPlan' at /x/flux.cuh:88: ring has no pole",
    ),
    "kernel-not-compiled": (
        "RuntimeError: Error building extension 'flux'",
        "subprocess.CalledProcessError: Command '['ninja', '-v', '-j', '8']' returned non-zero exit status "
        "1.",
        "triton.compiler.errors.CompilationError: at 3:1: ring has no pole",
        "torch._inductor.exc.InductorError: LoweringException: ring has no pole",
    ),
    "no-quantised-kernel": (
        "NotImplementedError: No compiled nvfp4 quantization kernel",
        "RuntimeError: Expected the flux_fp8_mm kernel to be compiled in for this GPU",
    ),
    "kernel-not-for-gpu": (
        "RuntimeError: FluxMLA is only supported on Hopper devices.",
        "flux.utils.BackendError: mm does not support backend 'ring' with capability 121",
    ),
    "attention-backend": (
        "ValueError: No valid attention backend found for cuda with Selector(head_size=80)",
        "ValueError: Head size 36 is not supported by this ring",
    ),
    "cuda-call-failed": (
        "RuntimeError: cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
        "RuntimeError: CUDA driver error: invalid argument",
        "RuntimeError: Triton Error [CUDA]: device kernel image is invalid",
    ),
    "cache-geometry": (
        "AssertionError: block_size (2096) must be <= max_num_batched_tokens (2048).",
        "ValueError: max_num_seqs (256) exceeds available Mamba cache blocks (113).",
    ),
    "configuration-refused": (
        "ValueError: num_poles must be provided with a ring.",
        "NotImplementedError: pole rings are not supported with speculative decoding",
    ),
    "engine-not-ready": (
        "TimeoutError: Timed out waiting for engine core processes to start.",
        "TimeoutError: Did not receive response from front-end process within 5 minutes",
    ),
    "nccl-unreachable-gid": (
        "h:1:2 [0] ibvwrap.c:160 NCCL WARN Call to ibv_modify_qp failed with error Connection timed out.",
        "h:1:2 [0] misc/ibvwrap.cc:187 NCCL WARN Call to ibv_modify_qp failed with error Network is "
        "unreachable",
    ),
    "nccl-qp-failed": (
        "h:1:2 [0] misc/ibvwrap.cc:187 NCCL WARN Call to ibv_modify_qp failed with error No such device",
        "/x/ibrc.cpp:420: non-zero status: 19 ibv_modify_qp failed.",
        "Failed to modify QP to RTR",
    ),
    "nccl-verbs-failed": (
        "h:1:2 [0] misc/ibvwrap.cc:88 NCCL WARN Call to ibv_alloc_pd failed",
        "/x/ibrc.cpp:420: non-zero status: 12 ibv_reg_flux failed.",
    ),
    "gloo-loopback": (
        "RuntimeError: [/x/gloo/transport/tcp/pair.cc:761] connect [127.0.1.1]:60817: Connection refused",
        "RuntimeError: Gloo connectFullMesh failed with timeout, local=[10.0.0.1]:1, remote=[127.0.0.1]:2",
    ),
    "gloo-silent": (
        "RuntimeError: [/x/gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 1800000ms for recv "
        "operation to complete",
        "RuntimeError: Timed out waiting 1800000ms for send operation to complete",
    ),
    "ranks-apart": (
        "torch.distributed.DistStoreError: Timed out after 601 seconds waiting for clients. 1/2 clients "
        "joined.",
        "ERROR 11-24 07:00:00 engine.py:389] wait timeout after 600000ms, keys: /cuda:0//0",
    ),
    "ray-node-dead": (
        '{"label":"RAYLET_MARKED_DEAD","message":"[Timeout] Exiting because this node manager has '
        'mistakenly been marked as dead by the GCS","severity":"FATAL"}',
        "(raylet) The node was marked dead by the GCS: it failed 5 health checks",
    ),
    "ray-start-timeout": (
        "Exception: The current node timed out during startup.",
        "Failed to get node info b'GCS cannot find the node with node ID 19e0.'",
    ),
    "ray-head-not-reached": (
        "[2026-11-24 07:00:00,934 C 7 7] client.cc:229: Couldn't reconnect to GCS server.",
        "[2026-11-24 07:00:00,934 E 7 7] client.cc:229: Trying to reconnect to GCS, GCS is unreachable.",
    ),
    "hub-transfer-broke": (
        "RuntimeError: Data processing error: CAS service error : IO Error: Timer expired",
        "requests.exceptions.ChunkedEncodingError: ('Connection broken: IncompleteRead(1 bytes read)', x)",
    ),
    "proxy-refused": (
        "requests.exceptions.ProxyError: (MaxRetryError(\"HTTPSConnectionPool(host='huggingface.co', "
        "port=443): x (Caused by ProxyError('Unable to connect to proxy'))\"))",
        "curl: (56) CONNECT tunnel failed, response 407",
    ),
    "file-system-failed": (
        "OSError: [Errno 116] Stale file handle: '/mnt/m/model-00001-of-00008.safetensors'",
        "cp: error reading '/mnt/m/x': Input/output error",
        "OSError: [Errno 5] Input/output error: '/root/.cache/huggingface/hub/x'",
    ),
    "limits-of-the-system": (
        "OSError: [Errno 24] Too many open files: '/root/.cache/huggingface/hub/x'",
    ),
    "registry-refused": (
        "#3 ERROR: failed to authorize: failed to fetch oauth token: unexpected status: 403 Forbidden",
        "Error response from daemon: unauthorized: authentication required",
    ),
    "docker-credentials": (
        'ERROR: error getting credentials - err: exec: "docker-credential-x": executable file not found in '
        "$PATH",
        "Error saving credentials: error storing credentials - err: exit status 1",
    ),
    "docker-not-permitted": (
        "docker: permission denied while trying to connect to the docker API at unix:///var/run/docker.sock",
    ),
    "sizes-differ": (
        "ERROR 11-24 07:00:00 [core.py:1]     assert param_data.shape == loaded_weight.shape",
        "RuntimeError: The size of tensor a (4) must match the size of tensor b (8) at non-singleton "
        "dimension 1",
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x8 and 4x8)",
    ),
    "packages-differ": (
        "AttributeError: 'RingTokenizer' object has no attribute 'poles'",
        "AttributeError: module 'flux' has no attribute 'ring'",
        "ImportError: numpy.core.multiarray failed to import",
    ),
    "compile-cache-damaged": (
        "_pickle.UnpicklingError: pickle data was truncated",
        "EOFError: Ran out of input",
    ),
    "gds-missing": ("RuntimeError: init_gds: cuFileDriverOpen failed (cuda_errno=-1)",),
    "gpu-taken-away": (
        "Failed to initialize NVML: Unknown Error",
        "RuntimeError: CUDA unknown error - this may be due to an incorrectly set up environment",
    ),
    "tls-block-full": ("ImportError: /x/libflux.so.1: cannot allocate memory in static TLS block",),
    "address-not-here": (
        "OSError: [Errno 99] Cannot assign requested address",
        "zmq.error.ZMQError: Cannot assign requested address (addr='tcp://10.0.0.9:1')",
    ),
    "ray-address-twice": ("RuntimeError: Every node should have a unique IP address. Got 1 nodes",),
    "file-locked": (
        "TimeoutError: The file lock '/m/.locks/x.lock' could not be acquired.",
        "Could not acquire lock /m/hub/x.lock",
    ),
    "copy-broke": (
        "rsync error: error in socket IO (code 10) at io.c(849) [sender=3.2.7]",
        "rsync: connection unexpectedly closed (12 bytes received so far) [sender]",
    ),
    "ssh-closed": (
        "kex_exchange_identification: Connection closed by remote host",
        "banner exchange: Connection to 10.0.0.2 port 22: Connection reset by peer",
    ),
    "rdma-no-device": (
        " Unable to find the Infiniband/RoCE device",
        "Failed to get IB devices list: Function not implemented",
    ),
    "ucx-failed": (
        "[1749803291.5] [h:7:0]  tcp_ep.c:1260 UCX  ERROR tcp_ep: send(110) failed: Input/output error",
        "flux._bindings.nixlBackendError: NIXL_ERR_BACKEND",
    ),
    "nccl-warned": ("h:1:2 [0] graph/rings.cc:45 NCCL WARN Error : ring 0 does not contain rank 1",),
    "docker-mount": (
        'error during container init: error mounting "/srv/x.json" to rootfs at "/x": not a directory',
        "invalid mount config for type \"bind\": bind source path does not exist: /srv/x",
    ),
    "docker-networks-full": ("all predefined address pools have been fully subnetted",),
    "download-damaged": (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
        "Hash Sum mismatch",
    ),
    "hub-unauthorised": ("huggingface_hub.errors.LocalTokenNotFoundError: Token is required",),
    "native-abort": (
        "*** SIGABRT received at time=1763796179 on cpu 3 ***",
        "terminate called after throwing an instance of 'flux::ring_gone'",
    ),
    "process-died": (
        "INFO 11-24 07:00:00 [x.py:1] worker process rank 1 exited unexpectedly",
        "2026-11-24 07:00:00,111 INFO worker.py:2000 -- A raylet process died unexpectedly: pid=311",
        "INFO 11-24 07:00:00 [x.py:1] Engine core 0 has terminated unexpectedly",
    ),
    "not-permitted": (
        "PermissionError: [Errno 13] Permission denied: '/srv/x'",
        "mkdir: cannot create directory '/srv/x': Permission denied",
        "OSError: [Errno 30] Read-only file system: '/srv/x'",
    ),
    "port-not-permitted": (
        "PermissionError: [Errno 13] error while attempting to bind on address ('0.0.0.0', 80): permission "
        "denied",
        "nginx: bind() to 0.0.0.0:80 failed (13: Permission denied)",
    ),
    "no-compiler": ("/tmp/x/cuda_utils.c:6:10: fatal error: Python.h: No such file or directory",),
    "kernels-not-downloaded": ("RuntimeError: Failed to download cubin from https://x.example/x.cubin",),
    "quantised-not-divisible": (
        "ValueError: Weight output_size = 32 is not divisible by min_thread_n = 64.",
        "ValueError: The input_size of down's weight = 192 is not divisible by weight quantization block_k = "
        "128.",
    ),
    "number-format": ("ValueError: torch.float32 is not supported for quantization method flux.",),
    "memory-changed": ("AssertionError: Error in memory profiling. Initial used memory 1, now 2.",),
    "ray-session-differs": ("AssertionError: Session name a does not match persisted value b.",),
    "ray-runtime-env": ("ray.exceptions.RuntimeEnvSetupError: Failed to set up runtime environment.",),
    "rank-silent": (
        "ray.exceptions.GetTimeoutError: Get timed out: some object(s) not ready.",
        "ray.exceptions.RayChannelTimeoutError: System error: it may hang",
    ),
    "nccl-cuda": ("Cuda failure 'out of memory'", "Cuda failure 2 'out of memory'"),
    "nccl-cuda-call": ("Cuda failure 999 'unknown error'",),
    "build-file-missing": (
        'ERROR: failed to solve: failed to compute cache key: failed to calculate checksum of ref x: '
        '"/wheels": '
        "not found",
        "ERROR: failed to solve: failed to read dockerfile: open Dockerfile: no such file or directory",
    ),
    "dockerfile-wrong": ("ERROR: failed to solve: dockerfile parse error on line 3: unknown instruction: R",),
    "builder-gone": ("ERROR: failed to solve: Unavailable: error reading from server: EOF",),
    "chat-template": (
        "jinja2.exceptions.TemplateNotFound: ring.jinja",
        "ValueError: The supplied chat template (ring.jinja) looks like a file path, but it failed to be "
        "opened.",
    ),
    "tokenizer-broken": (
        "ValueError: No tokenizer file found in directory: /m",
        "RuntimeError: Internal: could not parse ModelProto from /m/tokenizer.model",
    ),
    "model-type-unknown": (
        "ValueError: Model architectures ['RingForCausalLM'] failed to be inspected.",
        "KeyError: 'rope_type'",
    ),
    "model-shard-missing": ("OSError: x/y does not appear to have a file named processing_ring.py. See",),
}  # fmt: skip
