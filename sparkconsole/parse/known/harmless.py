"""What looks bad and is not: said by starts and tools that work."""

from sparkconsole.parse.known.known import harmless

HARMLESS = {
    "tools-that-go-on": harmless(
        r"Warning: Permanently added '|cannot set terminal process group|no job control in this shell|"
        r"Ignored the following (?:yanked )?versions|INTENDED_SYSTEM_EXIT|"
        r"connection to the metrics exporter agent|\bwarning: unused\b",
        "said by tools that go on as they should",
        "Warning: Permanently added '10.0.0.2' (ED25519) to the list of known hosts.",
    ),
    "start-noise": harmless(
        r"Triton not available|Cannot use FA version \d|Model Runner V2 requires Triton|"
        r"Default vLLM sampling parameters have been overridden|Not enough SMs to use max_autotune|"
        r"Attempted to load weight .{1,120} with dtype|Add \d+ padding layers|"
        r"hostname of the client socket cannot be retrieved|won't work with speculative decoding|"
        r"Address family not supported by protocol|Forcing --disable_|Setting OMP_NUM_THREADS|^\*{20,}$|"
        r"Process manager: force killing remaining processes|did not exit gracefully.{0,40}SIGKILL|"
        r"(?:ModuleNotFoundError|ImportError)\(\"No module named|Unsupported (?:param|property).{0,80}ignor",
        "vLLM and PyTorch say this in starts that work",
        "WARNING 11-24 07:00:00 [importing.py:1] Triton not available, find_triton_kernels = []",
    ),
    "usage-statistics": harmless(
        r"[Ff]ailed to (?:send|report|upload) (?:usage|telemetry)|stats\.vllm\.ai|usage-stats\.ray\.io|"
        r"us\.i\.posthog\.com|[Uu]sage[_ ]stat(?:s|istics)?\b.{0,120}(?:[Ff]ailed|[Ee]rror|[Tt]imed out)",
        "usage statistics could not be sent; the program works without them",
        "WARNING 11-24 07:00:00 [usage_lib.py:1] Failed to send usage data to server: timed out",
    ),
    "advice-of-pytorch": harmless(
        r"^Set TORCHDYNAMO_VERBOSE=|^Set TORCH_LOGS=|CUDA kernel errors might be asynchronously reported|"
        r"^For debugging consider passing|Compile with `?TORCH_USE_CUDA_DSA|"
        r"Search for `\w+' in https://docs\.nvidia",
        "PyTorch's advice below an error",
        "ERROR 11-24 07:00:00 [core.py:1] Set TORCHDYNAMO_VERBOSE=1 for the internal stack trace",
    ),
    "measuring-tools": harmless(
        r"BW peak won't be measured|could not find environment variable|"
        r"\b(?:ip|ss|ethtool|rdma|ibdev2netdev|show_gids|ibv_devinfo|lspci|fwupdmgr|numactl): (?:command "
        r")?not found$",
        "a tool that only looks is not there, or measures less",
        "WARNING: BW peak won't be measured in this run.",
    ),
    "package-managers": harmless(
        r"apt does not have a stable CLI interface|debconf: |Running pip as the 'root' user|"
        r"A new release of pip|Key is stored in legacy trusted\.gpg|is configured multiple times in|"
        r"DEPRECATION: |update-alternatives: |invoke-rc\.d: |LegacyKeyValueFormat|JSONArgsRecommended|"
        r"FromAsCasing|UndefinedVar|dpkg-preconfigure|Failed to hardlink files",
        "said in builds that work",
        "debconf: delaying package configuration, since apt-utils is not installed",
    ),
}
