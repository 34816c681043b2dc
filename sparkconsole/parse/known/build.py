"""What image builds say: BuildKit, compilers, CMake and Ninja, uv and pip, apt, curl and git."""

from sparkconsole.parse.known.known import During, cause, consequence, end
from sparkconsole.parse.known.numbered.exit_codes import CURL_CODES

_JOBS = "fewer --build-jobs"

BUILD = {
    "compiler-killed": cause(
        r"(?:fatal )?error: Killed\b|Killed signal terminated program (?P<program>\w+)|signal: killed|"
        r"\b(?:cc1plus|cicc|nvcc|ptxas|cudafe\+\+|ld|rustc)\b.{0,80}(?:\bKilled\b|died due to signal 9)|"
        r"virtual memory exhausted|fatal error: .{0,60}[Oo]ut of memory allocating|LLVM ERROR: out of memory",
        "the compiler was killed: the machine ran out of memory {program}",
        "each compile job takes several GiB, and the GPU's memory is the same memory on a Spark",
        f"{_JOBS}; stop the server while the image is built",
        "c++: fatal error: Killed signal terminated program cc1plus",
        remedies={During.BUILD: f"the compiler ran out of memory: {_JOBS}"},
    ),
    "toolkit-too-old": cause(
        r"nvcc fatal {0,6}: .{0,40}[Uu]nsupported gpu architecture '(?P<arch>[^']{1,40})'|"
        r"Value '(?P<arch2>sm_\w+)' is not defined for option 'gpu-name'|"
        r"ptxas fatal {0,6}: .{0,80}(?P<arch3>sm_\w+)|Unknown CUDA (?:arch|Architecture Name) .{0,40}",
        "the CUDA toolkit does not know this GPU: {arch}",
        "GB10 is sm_121: CUDA 13.0 or newer compiles for it",
        "an image with a newer CUDA toolkit; TRITON_PTXAS_PATH must name its ptxas",
        "nvcc fatal   : Unsupported gpu architecture 'compute_121a'",
    ),
    "nvcc-missing": cause(
        r"(?<![\w/.:-])(?P<path>[\w/.:-]{0,200}\bnvcc): (?:not found|command not found|No such file or "
        r"directory)|No such file or directory: ['\"](?P<path2>[\w/.:-]{0,200}\bnvcc)['\"]|"
        r"CUDA_HOME (?:environment variable )?is not set|No CUDA toolset found|"
        r"(?:Cannot|Could not|Failed to) find nvcc|CMAKE_CUDA_COMPILER.{0,40}NOTFOUND|"
        r"Failed to detect a default CUDA architecture",
        "the CUDA compiler is not found where it is looked for: {path}",
        "the image has no CUDA toolkit there, or CUDA_HOME is no single folder (a colon at its start: it was "
        "set like PATH)",
        "-e CUDA_HOME=/usr/local/cuda, one folder without a colon; or an image that has nvcc",
        "/bin/sh: 1: :/usr/local/cuda-12.8/bin/nvcc: not found",
    ),
    "package-conflict": cause(
        r"[Rr]equirements contain conflicting URLs for package [`'\"]?(?P<package>[\w.-]+)|"
        r"Cannot install .{1,200} because these package versions have conflicting dependencies|"
        r"ResolutionImpossible|"
        r"\b(?P<package2>[\w.-]{1,80}) [\w.+]{1,40} (?:requires|has requirement) .{1,120}, but you(?:'ll)? "
        r"have ",
        "two versions of one package are wanted: {package}",
        "two wheels of it lie in the folder, or two packages want different ones",
        "remove the older wheel, or pin one version; then build again",
        "error: Requirements contain conflicting URLs for package `flashinfer-cubin`:",
    ),
    "package-not-for-this": cause(
        r"No solution found when resolving|"
        r"Could not find a version that satisfies the requirement (?P<package>[\w.-]+)|"
        r"No matching distribution found for (?P<package2>[\w.-]+)|is not a supported wheel on this platform|"
        r"has no wheels with a matching (?:platform|Python|ABI)|[Rr]equires a different [Pp]ython|"
        r"requires-python|Python .{0,20}does not satisfy Python",
        "no build of a package fits: {package}",
        "no wheel for aarch64, this Python or this CUDA, or versions that exclude each other",
        "another --vllm-ref, or build it from source: sparkconsole image build --recipe vllm-node",
        "  × No solution found when resolving dependencies:",
    ),
    "download-failed": cause(
        r"curl: \((?P<code>\d+)\) ?(?P<said>.{0,160})|^wget: (?P<said2>.{1,160})|"
        r"(?:error: )?[Ff]ailed to (?:fetch|download):? [`'\"]?(?P<said3>(?=\S{0,160}[./=:])\S{1,160})|"
        r"HTTP request sent, awaiting response\.\.\. (?P<said4>[45]\d\d .{0,40})|"
        r"failed to authorize: .{1,160}|failed to do request: .{1,160}",
        "a download failed: {code_means} {said}",
        "the address, the network, the proxy or the server",
        "try that address on the node, then again",
        "curl: (22) The requested URL returned error: 404",
        numbers={"code": CURL_CODES},
        remedies={During.BUILD: "try that address on the node; build again: finished steps are cached"},
    ),
    "download-damaged": cause(
        r"DO NOT MATCH THE HASHES|[Hh]ash (?:[Ss]um )?mismatch|"
        r"checksum (?:mismatch|did NOT match|verification failed)",
        "the download is corrupt: its checksum differs",
        "it was cut short, a proxy changed it, or it was replaced at its source",
        "download it again without a cache (pip cache purge, docker builder prune); then look at the proxy",
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
    ),
    "git-failed": cause(
        r"fatal: (?:unable to access|[Cc]ould not read from remote|couldn't find remote ref|unable to look "
        r"up|early EOF|reference is not a tree|[Rr]emote branch|repository '.{1,160}' not found)"
        r"(?P<said>.{0,160})|remote: Repository not found|"
        r"error: pathspec '(?P<said2>[^']{1,100})' did not match|RPC failed; (?:curl|HTTP) ",
        "git could not get the source: {said}",
        "the address, the branch or commit, or the network",
        "check the reference: image build --vllm-ref",
        "fatal: Could not read from remote repository.",
    ),
    "packages-of-the-system": cause(
        r"^E: (?P<said>(?:Unable to (?:locate|fetch|acquire|correct)|Failed to fetch|Could not get lock|The "
        r"repository|Package '|Version '|Sub-process|Release file).{0,160})|"
        r"dpkg: error processing (?P<said2>\S{1,80})|(?P<said3>You have held broken packages)",
        "apt could not install: {said}",
        "the package or its mirror is not there, another apt runs, or an installation was cut short",
        "apt-get update on a working network, then again",
        "E: Unable to locate package libfoo",
    ),
    "buildkit-missing": cause(
        r"buildx component is missing|the --mount option requires BuildKit|unknown flag: --progress|"
        r"BuildKit is enabled but the buildx",
        "its docker has no BuildKit",
        "the plugin buildx is not installed",
        "apt install docker-buildx-plugin on the node (docker-buildx on Debian)",
        "ERROR: BuildKit is enabled but the buildx component is missing or broken.",
        remedies={During.BUILD: "install it on the node: apt install docker-buildx-plugin"},
    ),
    "code-not-compiled": cause(
        r"^[\w./+@-]{1,200}[:(]\d+(?::\d+|\))?:? (?:fatal )?error(?!.{0,10}Python\.h) ?:? ?(?:#?[\w-]+: )?"
        r"(?P<said>.{1,200})|^CMake Error\b(?P<said2>.{0,160})|undefined reference to (?P<said3>.{1,120})|"
        r"ld: cannot find (?P<said4>\S{1,80})|^error\[E\d+\]: (?P<said5>.{1,160})",
        "code does not compile: {said}",
        "the source does not fit this compiler, CUDA or PyTorch",
        "another --vllm-ref; the lines around it say which file",
        "/src/csrc/ops.cu:12:10: fatal error: cuda_fp4.h: No such file or directory",
    ),
    "package-not-built": end(
        r"Failed building wheel|[Ff]ailed to build [`'\"]?(?P<package>[\w.-]+)|metadata-generation-failed|"
        r"subprocess-exited-with-error|Failed to build installable wheels|Failed to build: .{1,80}",
        "a Python package was not built: {package}",
        "its own compiler said why, above",
        "read the first error above it",
        "ERROR: Failed building wheel for flash-attn",
    ),
    "build-file-missing": cause(
        r"failed to (?:calculate checksum|compute cache key).{0,300}\"(?P<file>[^\"]{1,200})\": not found|"
        r"failed to read dockerfile: open (?P<file2>\S{1,160}): no such file|"
        r"COPY failed: (?P<file3>.{1,200})",
        "a file that the image is built from is not in the build's folder: {file}",
        "it was not made before, another folder was given, or .dockerignore leaves it out",
        "make it first, or build from the folder that has it: sparkconsole image build",
        'ERROR: failed to solve: failed to compute cache key: failed to calculate checksum: "/wheels": not '
        "found",
    ),
    "dockerfile-wrong": cause(
        r"dockerfile parse error(?: on)? line (?P<line>\d+): (?P<said>.{1,200})|"
        r"unknown instruction: (?P<said2>\w{1,40})",
        "the Dockerfile is not well-formed: line {line}: {said}",
        "it was edited by hand, or is for a newer BuildKit",
        "mend that line; `# syntax=docker/dockerfile:1` as its first line takes the newest syntax",
        "ERROR: failed to solve: dockerfile parse error on line 12: unknown instruction: RUUN",
    ),
    "builder-gone": cause(
        r"failed to solve: (?:Unavailable|Internal|Canceled|rpc error).{0,200}|"
        r"failed to receive status: rpc error",
        "docker's builder ended while it built",
        "the machine ran out of memory or disk, or docker was restarted",
        "sparkconsole logs kernel; docker system df on the node; build again: finished steps are cached",
        "ERROR: failed to solve: Unavailable: error reading from server: EOF",
    ),
    "build-stopped": consequence(
        r"Ninja build failed|ninja: (?:build stopped|Entering directory)|^make(?:\[\d+\])?: \*\*\*|"
        r"^FAILED: (?P<target>\S{1,160})|gmake(?:\[\d+\])?: \*\*\*|could not compile `",
        "the build of some code stopped {target}",
        "a compiler or tool failed before it",
        "ninja: build stopped: subcommand failed.",
    ),
    "build-failed": consequence(
        r"^ ?(?:=> )?ERROR \[(?P<step>[^\]]{1,80})\]|failed to solve: (?P<step2>.{0,300})|"
        r"ERROR: failed to build|did not complete successfully: exit code: \d+|"
        r"The command '.{1,300}' returned a non-zero code: \d+|^#\d+ ERROR: (?P<step3>.{0,200})|"
        r"^> \[.{1,80}\]",
        "the image could not be built: {step}",
        "a step of it failed; sparkconsole runs show has its output",
        'ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2',
    ),
}
