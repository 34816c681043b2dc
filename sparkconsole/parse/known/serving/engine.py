"""What `vllm serve` and `vllm bench` say when they cannot start or go on. Versions 0.8 to 0.33."""

from sparkconsole.parse.known.known import During, cause, end, harmless, warning

ENGINE = {
    "argument-unknown": cause(
        r"(?:vllm[ \w.-]{0,80}|api_server\.py): error: (?P<said>.{0,400})|"
        r"error: unrecognized arguments: (?P<said2>.{0,400})",
        "vLLM does not take that argument: {said}",
        "flags come and go between versions",
        "see vllm serve --help in the container; some flags of older examples are gone",
        "vllm: error: unrecognized arguments: --no-such-flag",
    ),
    "port-taken": cause(
        r"(?:\[Errno 98\]|error while attempting to bind|EADDRINUSE|DistNetworkError).{0,400}[Aa]ddress "
        r"already in use|[Aa]ddress already in use|port is already allocated|bind: address already in use",
        "something else listens on that port",
        "another server, or one that is still ending",
        "sparkconsole serve stop, or another port: serve --port; ss -ltnp shows who it is",
        "OSError: [Errno 98] Address already in use",
        remedies={During.LAUNCH: "see who listens: ss -ltnp"},
    ),
    "length-over-model": cause(
        r"max_model_len \(?(?P<asked>\d+)\)? is greater than the (?:derived|maximum)|"
        r"--max-model-len.{0,400}(?:exceeds|larger than) the model's",
        "the model's own limit is shorter than the {asked} tokens that were asked for",
        "its config.json says how long it may be",
        "lower --max-model-len to what the line names",
        "Value error, User-specified max_model_len (999999) is greater than the derived max_model_len (2048)",
    ),
    "length-over-cache": cause(
        r"(?:To serve at least one request with|The model's max seq len \((?P<seq>\d+)\) is larger than the "
        r"maximum number of tokens|the KV cache is needed, which is larger than the available KV cache)",
        "one request of the full length does not fit into the KV cache",
        "the weights left too little memory for it",
        "lower --max-model-len to the estimate in the line: sparkconsole model fit; --kv-cache-dtype fp8; "
        "more nodes",
        "To serve at least one request with the models's max seq len (131072), (20 GiB KV cache is needed",
    ),
    "no-cache-blocks": cause(
        r"No available memory for the cache blocks|num_gpu_blocks.{0,400}must be (?:greater|larger)|"
        r"Available KV cache memory: -",
        "the weights left nothing for the KV cache",
        "the share of the memory that vLLM may use is too small for this model",
        "raise --gpu-memory-utilization a little, or use more nodes: sparkconsole model fit",
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
    ),
    "memory-not-free": cause(
        r"Free memory on device (?:\S+ )?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than "
        r"desired|is less than desired GPU memory utilization",
        "too little memory is free at the start: {free} of {total} GiB",
        "another server, one that is still ending (a minute), or page cache, which shares the memory on a "
        "Spark",
        "wait a minute, stop what runs, sparkconsole node drop-caches, or lower --gpu-memory-utilization",
        "ValueError: Free memory on device cuda:0 (97.07/121.69 GiB) on startup is less than desired GPU "
        "memory utilization",
    ),
    "memory-changed": cause(
        r"Error in memory profiling\. Initial (?:free|used) memory",
        "the free memory changed while vLLM measured it",
        "another program on the node started or ended meanwhile, or page cache was freed",
        "start again when nothing else starts or ends there: sparkconsole status",
        "AssertionError: Error in memory profiling. Initial free memory 70.1 GiB, current free memory 80.2 "
        "GiB.",
    ),
    "gpu-out-of-memory": cause(
        r"OutOfMemoryError: CUDA|CUDA out of memory|cudaErrorMemoryAllocation|CUDA error: out of memory|"
        r"CUDA driver error: out of memory|CUBLAS_STATUS_ALLOC_FAILED|OOM when allocating",
        "the unified memory is used up",
        "weights, KV cache and page cache share it on a Spark",
        "lower --gpu-memory-utilization, --max-model-len or --max-num-seqs, or use more nodes: sparkconsole "
        "model fit",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    ),
    "no-kernel-for-gpu": cause(
        r"no kernel image is available for execution|not compatible with the current PyTorch installation|"
        r"sm_12\d[a-f]?.{0,400}(?:not (?:supported|compatible|defined)|is not a recognized)|"
        r"Unsupported (?:gpu architecture|SM|CUDA arch)|cudaErrorNoKernelImageForDevice",
        "the image was not built for this GPU (sm_121)",
        "GB10 needs kernels that most images do not have",
        "build it: sparkconsole image build; or an image for Spark",
        "torch.AcceleratorError: CUDA error: no kernel image is available for execution on the device",
    ),
    "cuda-newer-than-driver": cause(
        r"cudaErrorUnsupportedPtxVersion|provided PTX was compiled with an unsupported toolchain|"
        r"driver (?:version |on your system )?is (?:too old|insufficient)|cudaErrorInsufficientDriver|"
        r"forward compatibility was attempted on non supported HW|unsatisfied condition: cuda>=",
        "the image's CUDA is newer than the node's driver",
        "image and driver do not fit",
        "an image for the driver's CUDA, or the newest driver by DGX OS update",
        "CUDA error: cudaErrorUnsupportedPtxVersion",
    ),
    "no-quantised-kernel": cause(
        r"Failed to find a kernel that can implement|"
        r"No (?:valid |supported )?(?!attention)(?:\w+ )?backend(?:s)? (?:found|available) for|"
        r"is not supported for quantization method|quantization method .{0,400} is not supported|"
        r"cutlass_gemm_caller|Error Internal\b|"
        r"[Nn]o compiled (?:nvfp4|mxfp4|fp4|fp8|int8|w4a8|w8a8|gptq|awq|marlin)\b|"
        r"_(?:fp4|fp8|int8|nvfp4)_\w{1,80} kernel to be compiled in|torch::kInt8 to be true|"
        r"Minimum capability: \d+\. Current capability|"
        r"(?:[Mm]arlin|[Cc]utlass|[Ff]lash[Ii]nfer).{0,400}(?:not supported|does not support)"
        r"(?!.{0,400}fall)",
        "this quantisation has no kernel for this GPU",
        "GB10 lacks some of the data-centre Blackwell's instructions",
        "another backend (VLLM_USE_FLASHINFER_MOE_FP4=0, --quantization …), or another quantisation of the "
        "model",
        "ValueError: Failed to find a kernel that can implement the ScaledMM linear layer.",
    ),
    "no-gpu": cause(
        r"Failed to infer device type|No CUDA GPUs are available|cudaErrorNoDevice|no NVIDIA GPU|"
        r"Current node has no GPU available|torch not compiled with CUDA enabled|libcuda\.so\.1: cannot open",
        "no GPU can be seen",
        "the container was started without it, Ray holds it for something that ended, or the driver is down",
        "sparkconsole node restart; nvidia-smi must work on the node: sparkconsole doctor gpu",
        "RuntimeError: Failed to infer device type, please set the environment variable",
    ),
    "gpu-fault": cause(
        r"illegal memory access|cudaErrorIllegal\w+|device-side assert|cudaErrorLaunchFailure|"
        r"unspecified launch failure|misaligned address|cudaErrorECC|uncorrectable ECC|"
        r"CUDA error: (?P<said>an? illegal [\w ]+|invalid program counter|hardware stack error|the launch "
        r"timed out[\w ]*|operation not supported on global/shared address space)",
        "the GPU stopped a kernel: {said}",
        "a kernel's own mistake: this model with this backend, rarely the hardware",
        "try --enforce-eager or another attention backend; sparkconsole logs kernel shows an Xid with it",
        "RuntimeError: CUDA error: an illegal memory access was encountered",
    ),
    "cuda-call-failed": cause(
        r"CUDA (?:driver )?error: (?P<said>(?!out of memory)[A-Za-z][\w /-]+)|"
        r"Triton Error \[CUDA\]: (?P<said2>[A-Za-z][\w /-]+)|"
        r"\b(?P<said3>(?:CUDNN|CUBLAS|CUSPARSE|CUSOLVER|CUFFT)_STATUS_(?!SUCCESS)\w+)",
        "a CUDA call failed: {said}",
        "the words are CUDA's own",
        "the lines around it name the call; sparkconsole doctor driver; sparkconsole logs kernel",
        "RuntimeError: CUDA error: invalid device ordinal",
    ),
    "quantisation-wrong": cause(
        r"Unknown quantization method|Quantization method specified in .{0,400} does not match|"
        r"quantization method must be one of",
        "the quantisation that was asked for is not the model's, or unknown",
        "the model's own config says how it is quantised",
        "leave --quantization out",
        "ValueError: Unknown quantization method: foo. Must be one of ['awq', 'gptq'].",
    ),
    "operator-missing": cause(
        r"Could not run '(?P<name>[\w:.]+)' with arguments|_OpNamespace' '\S+' object has no attribute|"
        r"operator \S+ does not exist",
        "vLLM's native code is not whole: {name}",
        "it was built without this operator, or for another PyTorch",
        "build the image anew: sparkconsole image build --rebuild-vllm",
        "NotImplementedError: Could not run '_C::foo' with arguments from the 'CUDA' backend",
    ),
    "host-out-of-memory": cause(
        r"^MemoryError\b|std::bad_alloc|Cannot allocate memory|DefaultCPUAllocator: (?:can't|not enough) ",
        "the machine has no memory left",
        "the GPU's memory is the same memory on a Spark",
        "lower --gpu-memory-utilization; sparkconsole status shows who holds it",
        "MemoryError",
    ),
    "limits-of-the-system": cause(
        r"Too many open files|can't start new thread|pthread_create failed|"
        r"(?:fork|[Tt]hread|clone|process|exec)\S{0,40}.{0,120}Resource temporarily unavailable",
        "a limit of the system was reached: open files or processes",
        "the container's ulimit or pids limit is too small",
        "start it with --ulimit nofile=1048576: launch -- --ulimit nofile=1048576",
        "OSError: [Errno 24] Too many open files",
    ),
    "lora-rank": cause(
        r"LoRA rank (?P<rank_of>\d+) is greater than",
        "the adapter's rank {rank_of} is larger than vLLM was told to expect",
        "--max-lora-rank says how large it may be",
        "raise --max-lora-rank",
        "ValueError: LoRA rank 64 is greater than max_lora_rank 16.",
    ),
    "heads-not-divisible": cause(
        r"must be divisible by tensor parallel size|is not divisible by (?:tp|tensor)|"
        r"Total number of attention heads|\b\d{1,9} is not divisible by \d",
        "the model cannot be spread over that many GPUs",
        "its heads, or the width of a layer, do not divide by it",
        "choose a -tp that divides them, or -pp",
        "Value error, Total number of attention heads (4) must be divisible by tensor parallel size (3).",
    ),
    "multimodal-budget": cause(
        r"max_tokens_per_mm_item \((?P<item>\d+)\) is larger than|At most \d+ .{0,400} may be provided|"
        r"larger than max_num_batched_tokens",
        "one picture has more tokens than a batch may have",
        "chunking is off for this model",
        "raise --max-num-batched-tokens",
        "ValueError: Chunked MM input disabled but max_tokens_per_mm_item (2496) is larger than "
        "max_num_batched_tokens",
    ),
    "option-wrong": cause(
        r"^Value error, (?P<said>.{0,400})|[Ii]nvalid (?:tool|reasoning)[ _](?:call )?parser|"
        r"KeyError: .{0,400}(?:[Tt]ool|[Rr]easoning)[_ ]parser",
        "vLLM does not take an option's value: {said}",
        "it does not fit the model, the machine or another option",
        "change that option",
        "Value error, block_size must be a multiple of 16",
    ),
    "libraries-differ": cause(
        r"(?<![\w.+-])(?P<file>[\w.+-]{1,120}\.so[\w.]{0,20}): undefined symbol: (?P<symbol>\w{1,120})|"
        r"version `(?P<version>(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+)' not found|"
        r"undefined symbol: (?P<symbol2>_Z\w{1,120})",
        "a native library was built for other versions of its neighbours: {file} {version}",
        "PyTorch, CUDA or vLLM was replaced after it was built: {symbol}",
        "build the image anew: sparkconsole image build --rebuild-vllm; do not mix wheels of different "
        "builds",
        "ImportError: /opt/vllm/_C.abi3.so: undefined symbol: "
        "_ZN3c1013MessageLoggerC1ENS_14SourceLocationEib",
    ),
    "image-lacks-package": cause(
        r"(?:ModuleNotFoundError|ImportError): (?:No module named|cannot import name)(?!.{0,200}partially "
        r"initialized) '?(?P<module>[\w.]+)|"
        r"ImportError: (?P<module2>lib[\w.+-]+|\S{1,200}\.so\S{0,20}): cannot open shared object|"
        r"ImportError: Please install|requires the `?(?P<module3>\w+)`? (?:library|package)",
        "the image lacks a Python package or a library: {module}",
        "a load format, parser or backend needs it",
        "leave that option out, or build an image that has it: sparkconsole image build",
        "ModuleNotFoundError: No module named 'fastsafetensors'",
    ),
    "no-compiler": cause(
        r"InvalidCxxCompiler|No working C\+\+ compiler|Failed to find C compiler|"
        r"(?:Cannot|Could not) find (?:nvcc|a working triton)|"
        r"RuntimeError: .{0,200}ninja.{0,200}(?:required|not found)|Python\.h: No such file",
        "something is compiled at run time, and the image has no compiler for it",
        "torch.compile, Triton and FlashInfer build kernels when they are first used",
        "an image with g++ and Python's headers; or --enforce-eager and TORCHDYNAMO_DISABLE=1",
        "torch._inductor.exc.InductorError: InvalidCxxCompiler: No working C++ compiler found",
    ),
    "no-ray-in-build": cause(
        r"current platform \w+ does not support ray|Ray is not installed|"
        r"ray.{0,400}(?:is|are) not (?:installed|available).{0,400}distributed",
        "this image's vLLM cannot use Ray",
        "official and NGC images come without it",
        "launch without Ray: --backend none; or an image with ray[default]",
        "ValueError: current platform cpu does not support ray.",
    ),
    "chat-template": cause(
        r"default chat template is no longer allowed|"
        r"chat template.{0,400}(?:not found|does not exist|invalid)|TemplateSyntaxError|TemplateNotFound|"
        r"supplied chat template .{1,300}failed to be opened|cannot use chat template",
        "the model has no chat template that can be used",
        "a base model, or its tokenizer's template is broken",
        "give one with --chat-template, or use /v1/completions",
        "ValueError: As of transformers v4.44, default chat template is no longer allowed",
    ),
    "server-not-reached": cause(
        r"Cannot connect to host (?P<host>\S+)|ConnectionRefusedError: .{0,400}(?P<host2>\('[\d.]+', \d+\))|"
        r"All requests failed\. This is likely|Initial test run failed|Endpoint never became ready",
        "no server answers: {host}",
        "it is not up yet, it ended, or listens on another port",
        "sparkconsole serve status",
        "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 8888)",
    ),
    "bench-all-failed": cause(
        r"\"completed\": 0\b.{0,400}?\"failed\": (?P<count>[1-9]\d*)",
        "all {count} requests of the benchmark failed",
        "the server was down, or refused every one of them",
        "sparkconsole serve status",
        '{"num_prompts": 24, "completed": 0, "failed": 24}',
    ),
    "placement-waiting": warning(
        r"Waiting for creating a placement group.{0,400} for (?P<seconds>\d+) seconds|"
        r"No available node types can fulfill|No current placement group found.{0,40}waiting",
        "Ray has not given the GPUs for {seconds} s",
        "fewer GPUs in Ray than ranks, or Ray knows the nodes by other addresses than VLLM_HOST_IP",
        "sparkconsole status shows the members; every node must be in Ray by the address it serves with",
        "Waiting for creating a placement group of specs for 150 seconds. specs=[{'GPU': 1.0}]. Check `ray "
        "status`",
    ),
    "cache-preempted": warning(
        r"(?:is|are) preempted by PreemptionMode|Preempted \d+ requests|cumulative[_ ]preemption",
        "requests are put off because the KV cache is full",
        "more is asked at once than fits",
        "lower --max-num-seqs or --max-model-len",
        "Sequence group 3 is preempted by PreemptionMode.RECOMPUTE mode because there is not enough KV cache "
        "space",
    ),
    "cache-geometry": cause(
        r"block_size \(?(?P<block>\d+)\)? must be|exceeds available Mamba cache blocks|"
        r"(?:Mamba|mamba|page|block)[ _]size.{0,80}(?:must|should) (?:be|divide)",
        "the sizes of the KV cache's blocks do not fit this model: {block}",
        "models with several kinds of layers (Mamba, linear attention) want larger blocks or fewer requests",
        "raise --max-num-batched-tokens, lower --max-num-seqs, or leave --block-size out, as the line says",
        "AssertionError: In Mamba cache align mode, block_size (2096) must be <= max_num_batched_tokens "
        "(2048).",
    ),
    "options-refused": end(
        r"ValidationError: \d+ validation errors? for (?P<what>\w+)",
        "vLLM does not take its options: {what}",
        "the line after it says which",
        "change that option",
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig",
    ),
    "configuration-refused": end(
        r"(?:ValueError|AssertionError|NotImplementedError): (?P<said>.{0,240}\b(?:must be|should be|must "
        r"not|(?:is|are) not (?:currently )?(?:supported|allowed|valid|compatible)|not supported|cannot be|"
        r"can only|only supports?|only supported|requires?\b|unsupported|[Uu]nsupported|incompatible|does "
        r"not support|[Pp]lease (?:set|use|lower|increase|reduce|raise|specify|provide|disable|enable|"
        r"install|upgrade|update|try)|at (?:least|most)).{0,160})",
        "vLLM rejects its configuration: {said}",
        "an option, or how several of them stand together, does not fit the model, the machine or the "
        "version",
        "change what the line names; a newer image where the model is newer than it",
        "ValueError: num_speculative_tokens must be provided with speculative model",
    ),
    "tp-over-gpus": harmless(
        r"Tensor parallel size \(\d+\) exceeds available GPUs|is bigger than a reserved number of GPUs",
        "always said where every node has one GPU",
        "WARNING [ray_utils.py:352] Tensor parallel size (2) exceeds available GPUs (1).",
    ),
    "client-mistakes": harmless(
        r"sys\.meta_path is None|^KeyboardInterrupt|CancelledError",
        "somebody pressed ctrl+c, or a client went away: the server is well",
        "KeyboardInterrupt",
    ),
    "boot-noise": harmless(
        r"Found ulimit of|tokenize unavailable|no longer sets temperature|Using default MoE config|"
        r"leaked (?:shared_memory|semaphore)|experimental and could change|"
        r"does not have native support for FP4|Checkpoint does not provide a|"
        r"Unknown vLLM environment variable|is deprecated|FutureWarning|^Initializing an? .{0,400}engine|"
        r"^non-default args|Namespace\(|TORCH_USE_CUDA_DSA|CUDA_LAUNCH_BLOCKING|"
        r"Dumping (?:input data|scheduler)|Failed to (?:import|get) .{0,400}(?:optional|fall(?:ing)? back)|"
        r"[Ff]alling back",
        "vLLM says this in every start, or before it goes on",
        "WARNING [system_utils.py:255] Found ulimit of 20000 and failed to automatically increase",
    ),
}
