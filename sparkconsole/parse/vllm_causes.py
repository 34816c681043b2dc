"""What kills `vllm serve`, as data: the line, what it means on a Spark, what to do. First in a log wins."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """One known cause, with a line that shows it."""

    pattern: re.Pattern[str]
    why: str
    remedy: str
    example: str
    death: bool = False
    """It only tells that a process died: what was thrown before it says more."""


def _cause(pattern: str, why: str, remedy: str, example: str, *, death: bool = False) -> Cause:
    return Cause(re.compile(pattern), why, remedy, example, death)


CAUSES: tuple[Cause, ...] = (
    _cause(
        r"vllm(?: serve)?: error: |error: unrecognized arguments",
        "this vLLM does not know an argument",
        "see vllm serve --help in the container; some flags of older examples are gone",
        "vllm: error: unrecognized arguments: --no-such-flag",
    ),
    _cause(
        r"Address already in use",
        "something else listens on the port",
        "choose another with --port, or stop what is there: sparkconsole serve stop",
        "OSError: [Errno 98] Address already in use",
    ),
    _cause(
        r"Repo id must be in the form|is not a (?:local folder|valid model)|Can't load the configuration of",
        "the model is neither a folder in the container nor a name on the hub",
        "check the path on every node; only ~/.cache/huggingface is mounted unless --volume says more",
        "HFValidationError: Repo id must be in the form 'repo_name': '/models/none'.",
    ),
    _cause(
        r"LocalEntryNotFoundError: |outgoing traffic has been disabled|an appropriate cached snapshot",
        "the model is not in this node's cache, and the hub may not be asked",
        "download it first, on every node; or serve without --offline",
        "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder",
    ),
    _cause(
        r"access (?:a )?gated repo|401 Client Error|403 Client Error|not in the authorized list",
        "the hub does not give this model to you",
        "accept its licence on the hub and set HF_TOKEN",
        "Cannot access gated repo for url https://huggingface.co/x/resolve/main/config.json.",
    ),
    _cause(
        r"max_model_len \(\d+\) is greater than the derived max_model_len",
        "the model's own limit is shorter than the length that was asked for",
        "lower --max-model-len to what the line names",
        "Value error, User-specified max_model_len (999999) is greater than the derived max_model_len (2048)",
    ),
    _cause(
        r"^ModuleNotFoundError: No module named '",
        "the image lacks a Python package",
        "use another --load-format, or an image that has it",
        "ModuleNotFoundError: No module named 'fastsafetensors'",
    ),
    _cause(
        r"must be divisible by tensor parallel size|Total number of attention heads",
        "the model's heads cannot be spread over that many GPUs",
        "choose a -tp that divides them",
        "Value error, Total number of attention heads (4) must be divisible by tensor parallel size (3).",
    ),
    _cause(
        r"Free memory on device .* is less than desired GPU memory utilization",
        "too little memory is free: another server, one that is still being taken down, or page cache",
        "wait a minute, stop what runs, or lower --gpu-memory-utilization",
        "Free memory on device cuda:0 (97.0/121.6 GiB) is less than desired GPU memory utilization (0.8)",
    ),
    _cause(
        r"No available memory for the cache blocks",
        "the weights left nothing for the KV cache",
        "raise --gpu-memory-utilization, or use more nodes",
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
    ),
    _cause(
        r"To serve at least one request with the model\S* max seq len",
        "one request of that length does not fit into the KV cache",
        "lower --max-model-len to the estimate in the line",
        "To serve at least one request with the models's max seq len (131072), (20 GiB KV cache is needed",
    ),
    _cause(
        r"torch\.OutOfMemoryError|CUDA out of memory|cudaErrorMemoryAllocation",
        "the unified memory is used up",
        "lower --gpu-memory-utilization and --max-model-len, or use more nodes",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    ),
    _cause(
        r"no kernel image is available for execution",
        "the image was not built for this GPU (sm_121)",
        "build it: sparkconsole image build",
        "torch.AcceleratorError: CUDA error: no kernel image is available for execution on the device",
    ),
    _cause(
        r"cudaErrorUnsupportedPtxVersion|provided PTX was compiled with an unsupported toolchain",
        "the image's CUDA is newer than the driver",
        "use an image for the driver's CUDA, or update the driver",
        "CUDA error: cudaErrorUnsupportedPtxVersion",
    ),
    _cause(
        r"Failed to find a kernel that can implement the ScaledMM|cutlass_gemm_caller|Error Internal",
        "this quantisation has no kernel for this GPU",
        "try another backend or quantisation of the model",
        "ValueError: Failed to find a kernel that can implement the ScaledMM linear layer.",
    ),
    _cause(
        r"Following weights were not initialized from checkpoint",
        "the files are another model's, or not complete",
        "download the model again; compare it on all nodes",
        "ValueError: Following weights were not initialized from checkpoint: {'lm_head.weight'}",
    ),
    _cause(
        r"Model architectures \[.*\] (?:are|is) not supported",
        "this vLLM is too old for the model",
        "build a newer one: sparkconsole image build --rebuild-vllm",
        "ValueError: Model architectures ['NewForCausalLM'] are not supported for now.",
    ),
    _cause(
        r"Permission denied: '.*(?:huggingface|cache)|Read-only file system",
        "the cache cannot be written",
        "chown -R $USER ~/.cache/huggingface on the node",
        "PermissionError: [Errno 13] Permission denied: '/root/.cache/huggingface/hub'",
    ),
    _cause(
        r"Current node has no GPU available",
        "Ray holds the GPU for something that ended, or sees none",
        "start the containers again: sparkconsole node restart",
        "ValueError: Current node has no GPU available. current_node_resource={'accelerator_type:GB10': 1.0}",
    ),
    _cause(
        r"Cannot provide a placement group requiring",
        "Ray has fewer GPUs than ranks, or knows the nodes by other addresses",
        "sparkconsole status shows the members; VLLM_HOST_IP must be Ray's address of the node",
        "ValueError: Cannot provide a placement group requiring 2 GPUs within 1800 seconds.",
    ),
    _cause(
        r"At most \d+ .* may be provided|max_tokens_per_mm_item",
        "the limits for pictures do not fit the batch",
        "raise --max-num-batched-tokens",
        "ValueError: Chunked MM input disabled but max_tokens_per_mm_item (16384) is larger than 2048",
    ),
    _cause(
        r"InvalidCxxCompiler: ",
        "something is compiled and the image has no compiler",
        "set TORCHDYNAMO_DISABLE=1, or use an image with g++",
        "torch._inductor.exc.InductorError: InvalidCxxCompiler: No working C++ compiler found",
    ),
    _cause(
        r"^(?:double free or corruption|free\(\): |malloc\(\): |Segmentation fault)|Segfault encountered",
        "native code crashed: the driver, NCCL or a kernel, not the model",
        "sparkconsole logs shows what it did last; try --enforce-eager, or another image",
        "(RayWorkerProc pid=2158, ip=192.168.10.254) double free or corruption (fasttop)",
    ),
    _cause(
        r"current platform \w+ does not support ray",
        "this build of vLLM refuses Ray",
        "launch without Ray: --backend none",
        "ValueError: current platform cpu does not support ray.",
    ),
    _cause(
        r"RayWorkerProc rank=\[?\d+\]? died unexpectedly|ActorDiedError|NodeDiedError",
        "a rank died on another node",
        "look at that node: sparkconsole logs, status",
        "RayWorkerProc rank=[1] died unexpectedly, shutting down executor.",
        death=True,
    ),
    _cause(
        r"Worker proc \S+ died unexpectedly|Worker failed with error '(?P<error>[^']*)'",
        "a rank died",
        "read what it said before",
        "ERROR Worker proc VllmWorker-1 died unexpectedly, shutting down executor.",
        death=True,
    ),
    _cause(
        r"RPC call to \w+ timed out",
        "a rank no longer answers: its node is lost, or it hangs",
        "look at that node: sparkconsole serve status, logs",
        "TimeoutError: RPC call to sample_tokens timed out.",
        death=True,
    ),
)

CONSEQUENCES: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern)
    for pattern in (
        r"Engine core initialization failed",
        r"EngineDeadError|EngineCore encountered",
        r"Connection reset by peer",
        r"^Traceback \(most recent call last\)",
        r"Failed core proc",
        r"WorkerProc initialization failed due to an exception",
        r"Found ulimit of",
        r"Ignored error while|Will ignore error and continue",
    )
)
"""Lines that follow from a cause, or look bad and are not."""

EXCEPTION = re.compile(r"^(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Interrupt)(?:: |$)")
"""The last line of a traceback."""
