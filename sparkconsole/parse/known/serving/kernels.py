"""Kernels that are compiled when they are first used, or that this GPU or this build does not have.

Triton, torch.compile, FlashInfer, DeepGEMM and CUTLASS.
"""

from sparkconsole.parse.known.known import cause, end

KERNELS = {
    "attention-backend": cause(
        r"Selected backend \S+ is not valid|No valid attention backend|Invalid attention backend|"
        r"[Aa]ttention backend .{0,120}(?:not supported|does not support|requires)|"
        r"[Hh]ead (?:size|dim(?:ension)?)s? \d+ is not supported",
        "the attention backend does not fit this GPU or model",
        "VLLM_ATTENTION_BACKEND or --attention-backend names it",
        "leave it out: vLLM chooses one that works",
        "ValueError: Selected backend AttentionBackendEnum.FLASHINFER is not valid for this configuration.",
    ),
    "kernel-too-large": cause(
        r"out of resources?: .{0,120}Required: (?P<needs>\d+)|OutOfResources: (?!.{0,120}Required)|"
        r"(?:shared memory|tensor memory).{0,40}Required: (?P<needs2>\d+)|[Nn]o valid triton configs|"
        r"uses too much shared (?:data|memory)|requested shared memory .{0,60}(?:exceeds|larger)",
        "a kernel needs more of the GPU's on-chip memory than this GPU has: {needs}",
        "it was tuned for a data-centre GPU: GB10 has 101376 bytes of shared memory for a block",
        "another attention or MoE backend; --enforce-eager where torch.compile made it; a newer image",
        "triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 114688, Hardware "
        "limit: 101376.",
    ),
    "kernel-not-for-gpu": cause(
        r"(?:for|on) (?:the current|this|your) (?:GPU|device|hardware|platform|architecture)\b(?<!\w).{0,80}"
        r"(?:no compiled|not compiled|not (?:implemented|supported))|"
        r"(?:is|are) (?:not|only) supported (?:on|for|with) (?:this GPU|the current (?:GPU|device)|"
        r"(?:compute capability|device capability|SM ?_?\d|sm_|CUDA (?:arch|devices? with)|Hopper|Blackwell|"
        r"Ampere|H100|B200))|does not support backend .{0,60}capability|"
        r"[Uu]nsupported (?:compute |device )?capability|"
        r"[Rr]equires? (?:a )?(?:GPU with )?(?:compute|device) capability|compiled in for this GPU|"
        r"[Nn]o compiled \w.{0,60}(?:kernel|quantization)|not compiled (?:in|with|for) .{0,60}(?:sm|SM|arch)",
        "vLLM has no kernel for this on this GPU",
        "GB10 is sm_121 (compute capability 12.1): much is written for sm_90 and sm_100 only",
        "another backend or quantisation; an image that was built for sm_121: sparkconsole image build",
        "RuntimeError: FlashMLA is only supported on Hopper devices.",
    ),
    "kernel-library-refused": cause(
        r"\[TensorRT-LLM\]\[ERROR\] Assertion failed: (?P<what4>.{1,120})|Invalid thread config: |"
        r"Assertion error \(?(?P<what>csrc/\S{1,120})|Error in function ['`](?P<what2>\w{1,100})['`]|"
        r"(?:cutlass|CUTLASS|deep_gemm|DeepGEMM|flashinfer|FlashInfer)\S{0,60}.{0,80}(?:[Aa]ssertion "
        r".{0,40}failed|assert|Check failed|kInvalid\w+|kErrorInternal)|"
        r"Expected (?P<what3>\w+)\.(?:dtype|scalar_type)\(\) == \S{1,60} to be true|"
        r"Unsupported (?:SM|arch(?:itecture)?)\b",
        "a kernel library rejected a call: {what}",
        "this model's shapes or number formats do not fit the library, or it does not know this GPU",
        "do without it: VLLM_USE_DEEP_GEMM=0, VLLM_USE_FLASHINFER_MOE_FP4=0, another attention backend or "
        "quantisation; a newer image",
        "RuntimeError: Assertion error (csrc/jit_kernels/impls/smxx_layout.hpp:136): mn % 4 == 0",
    ),
    "kernels-not-downloaded": cause(
        r"[Ff]ailed to (?:download|get) (?:the )?cubins?\b|edge\.urm\.nvidia\.com|"
        r"flashinfer\S{0,40}cubin.{0,80}(?:not found|[Ff]ailed)",
        "FlashInfer could not download its kernels",
        "the image lacks them, and the node has no Internet",
        "an image with flashinfer-cubin: sparkconsole image build; or another attention and MoE backend",
        "RuntimeError: Failed to download cubin from https://edge.urm.nvidia.com/x.cubin",
    ),
    "quantised-not-divisible": cause(
        r"is not divisible by (?:min_thread|weight quantization|(?:weight )?(?:block|group)_?(?:size|n|k)\b)",
        "the quantised weights cannot be split over that many GPUs",
        "each part must be whole blocks of the quantisation",
        "a smaller -tp, -pp instead, or --enable-expert-parallel; another quantisation of the model",
        "ValueError: The output_size of gate's weight = 192 is not divisible by weight quantization block_n "
        "= 128.",
    ),
    "compile-cache-damaged": cause(
        r"UnpicklingError|pickle data was truncated|EOFError: Ran out of input|Failed to load AOT compiled|"
        r"(?:compile|kernel|inductor|triton) cache .{0,80}(?:corrupt|damaged|invalid)",
        "the compile cache is damaged",
        "a cache was cut short: its process was killed, or the disk was full",
        "remove ~/.cache/vllm/torch_compile_cache and ~/.triton on the node; VLLM_DISABLE_COMPILE_CACHE=1",
        "_pickle.UnpicklingError: pickle data was truncated",
    ),
    "gds-missing": cause(
        r"cuFile\w{0,40} failed|init_gds|"
        r"(?:GPUDirect Storage|GDS) .{0,60}(?:not (?:supported|available)|failed)",
        "files cannot be read straight to the GPU (GPUDirect Storage)",
        "a Spark does not have it; --load-format fastsafetensors tries it",
        "leave --load-format out, or set FASTSAFETENSORS_NOGDS=1",
        "RuntimeError: init_gds: cuFileDriverOpen failed (cuda_errno=-1)",
    ),
    "packages-differ": cause(
        r"AttributeError: (?:'?\w{0,60}(?:Tokenizer|Processor|Config)\w{0,60}'?(?: object)?|module '"
        r"(?P<module>[\w.]{1,80})') has no attribute '?(?P<name>\w{1,80})|"
        r"numpy\.core\.multiarray failed to import|numpy\.dtype size changed|compiled using NumPy 1|"
        r"(?P<name2>[\w.-]{1,60})(?:[<>=!]=?[\w.,<>=]{1,30}) is required",
        "two Python packages in the image are incompatible: {module} {name}",
        "transformers, tokenizers or numpy is newer or older than this vLLM expects",
        "do not upgrade packages in the image one by one: sparkconsole image build --rebuild-vllm; pip check "
        "in the container",
        "AttributeError: Qwen2Tokenizer has no attribute all_special_tokens_extended",
    ),
    "kernel-not-compiled": end(
        r"Error building extension '(?P<name>[\w.-]{1,100})'|"
        r"Command '\[?'?[^'\]]{0,200}\b(?P<name2>ninja|nvcc|ptxas|gcc|g\+\+|cc|c\+\+|"
        r"clang)'?.{0,2000}returned non-zero exit status|Ninja build failed|"
        r"(?:NVCC|NVRTC|nvrtc) (?:compilation )?(?:failed|error)|triton\.compiler\.errors\.\w+|PTXASError|"
        r"Internal Triton PTX codegen error|torch\._inductor\.exc\.\w+: |BackendCompilerFailed|"
        r"torch\._dynamo\.exc\.\w+: |error in backend|LoweringException",
        "a kernel could not be compiled when it was first used: {name}",
        "Triton, torch.compile, FlashInfer and DeepGEMM compile on the node; the compiler's own words stand "
        "around it",
        "an image with nvcc, g++ and ninja for sm_121; remove a stale ~/.cache/vllm, flashinfer and "
        "~/.triton; or --enforce-eager",
        "RuntimeError: Error building extension 'sampling'",
    ),
}
