"""Lines that hold the words of a more general cause and mean another: tried before that one."""

from sparkconsole.parse.known.known import During, cause

SPECIFIC = {
    "inotify-limit": cause(
        r"System limit for number of file watchers|"
        r"inotify.{0,80}(?:limit|No space left|[Tt]oo many open files)|"
        r"(?:limit|number) (?:for|on|of) (?:the )?(?:number of )?inotify",
        "the system's limit of watched files (inotify) was reached",
        "it is no lack of disk: fs.inotify.max_user_watches or max_user_instances is too small",
        "sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512 on the node",
        "Error: ENOSPC: System limit for number of file watchers reached, watch '/srv'",
    ),
    "shm-full": cause(
        r"[Nn]o space left on device.{0,80}/dev/shm(?!/nccl)|"
        r"/dev/shm(?!/nccl)(?!.{0,160}NCCL).{0,160}[Nn]o space left on device",
        "shared memory (/dev/shm) is full, not the disk",
        "Docker gives a container 64 MB of it unless told otherwise",
        "start the container with --ipc host, or --shm-size 10g",
        "OSError: [Errno 28] No space left on device: '/dev/shm/psm_1a2b'",
    ),
    "script-syntax": cause(
        r"unexpected EOF while (?:looking for matching|parsing)|[Ss]yntax error: [Uu]nexpected end of file|"
        r"syntax error near unexpected token|^(?:SyntaxError|IndentationError|TabError): ",
        "a script or a Python file is not well-formed",
        "a quote, a bracket or a block is left open, or the file was edited by hand or cut short",
        "the line and file that it names, or the one above it, must be mended",
        "bash: -c: line 1: unexpected EOF while looking for matching `\"'",
    ),
    "exec-format": cause(
        r"[Ee]xec format error",
        "a program cannot be executed here: exec format error",
        "it, or its image, is for another processor (a Spark is linux/arm64), or it is a script without a #! "
        "line",
        "an image for arm64: sparkconsole image list; a script of your own needs #!/bin/sh in its first line",
        "exec /usr/bin/bash: exec format error",
    ),
    "proxy-refused": cause(
        r"ProxyError\b|Proxy Authentication Required|[Tt]unnel connection failed|"
        r"[Uu]nable to connect to proxy|proxyconnect tcp|"
        r"(?:CONNECT tunnel failed|Received HTTP code \d+ from proxy)(?:, response (?P<code>\d+))?",
        "the proxy did not let a connection through: {code}",
        "it wants a name and password, does not allow that address, or is not reached itself",
        "HTTPS_PROXY and NO_PROXY on the node, in the container and for docker's service; NO_PROXY must name "
        "the cluster's own addresses",
        "requests.exceptions.ProxyError: Tunnel connection failed: 407 Proxy Authentication Required",
    ),
    "file-system-failed": cause(
        r"\[Errno (?:5|116|107)\]|/[^:]{1,300}: Input/output error|Stale (?:NFS )?file handle|"
        r"Transport endpoint is not connected: ",
        "a file could not be read: its disk or its network file system failed",
        "an NFS server that was restarted, a mount that is gone, or a disk with errors",
        "mount it again on the node, then start the container anew; sparkconsole logs kernel names the disk",
        "OSError: [Errno 116] Stale file handle: '/mnt/models/x/model-00001-of-00008.safetensors'",
    ),
    "copy-broke": cause(
        r"rsync error: error in (?:socket IO|rsync protocol data stream|file IO)|"
        r"rsync: .{0,80}(?:connection unexpectedly closed|write error|read error)",
        "a copy broke off: the other end or the connection went away",
        "the machine at the other end, its disk, or the network between",
        "sparkconsole status, then copy again: what arrived whole is not sent again",
        "rsync: [sender] write error: Broken pipe (32)",
    ),
    "ssh-closed": cause(
        r"kex_exchange_identification|ssh_exchange_identification|banner exchange: .{0,120}",
        "the other end closed the SSH connection before it began",
        "too many at once (MaxStartups), a ban after wrong passwords, or an SSH service that is starting",
        "wait a minute and try again; journalctl -u ssh on the node says why",
        "kex_exchange_identification: Connection closed by remote host",
    ),
    "file-locked": cause(
        r"[Ff]ile lock .{1,300} could not be acquired|"
        r"Could not (?:acquire|get) (?:the )?lock .{0,200}(?:\.lock|/hub/)|filelock\.\S{0,80}Timeout|"
        r"_error\.Timeout: The file lock",
        "a file is locked by another program",
        "another download or compilation still runs, or left its lock behind on a network file system",
        "end the other one; remove the .lock file that the line names when nobody is left",
        "TimeoutError: The file lock '/m/.locks/models--x/abc.lock' could not be acquired.",
    ),
    "address-not-here": cause(
        r"[Cc]annot assign requested address|EADDRNOTAVAIL",
        "an address is not of this machine",
        "VLLM_HOST_IP, --host or --master-addr names another machine's address, or one that is gone",
        "sparkconsole check shows each node's own addresses; launch again",
        "zmq.error.ZMQError: Cannot assign requested address (addr='tcp://10.0.0.9:29550')",
    ),
    "tls-block-full": cause(
        r"cannot allocate memory in static TLS block",
        "a library was loaded too late: its thread-local memory is used up",
        "seen on ARM64 where libgomp comes twice, with PyTorch and with the system",
        "-e LD_PRELOAD=/usr/lib/aarch64-linux-gnu/libgomp.so.1: the library that the line names",
        "ImportError: /usr/lib/aarch64-linux-gnu/libgomp.so.1: cannot allocate memory in static TLS block",
    ),
    "gpu-taken-away": cause(
        r"Failed to initialize NVML: Unknown Error|NVMLError_Unknown|CUDA unknown error",
        "the container has lost its GPU, or CUDA does not come up in it",
        "systemd was reloaded while the container ran, which takes devices away; or the driver hangs",
        "start the container anew: sparkconsole node restart; sparkconsole doctor gpu when it stays",
        "Failed to initialize NVML: Unknown Error",
    ),
    "docker-credentials": cause(
        r"error getting credentials|docker-credential-\w.{0,80}(?:not found|resolves to)|"
        r"error (?:storing|saving) credentials",
        "docker's helper for passwords is not there, or does not answer",
        "~/.docker/config.json names a credsStore that this machine does not have",
        "take credsStore out of ~/.docker/config.json on the node, then docker login",
        'error getting credentials - err: exec: "docker-credential-desktop": executable file not found in '
        "$PATH",
    ),
    "cuda-not-initialised": cause(
        r"CUDA error: initialization error|cudaErrorInitializationError|CUDA_ERROR_NOT_INITIALIZED|"
        r"Cannot re-initialize CUDA in forked subprocess",
        "CUDA did not initialise in a process",
        "the process was forked from one that had used CUDA, or driver and library do not fit",
        "VLLM_WORKER_MULTIPROCESSING_METHOD=spawn; sparkconsole doctor driver",
        "RuntimeError: CUDA error: initialization error",
    ),
    "vocabulary-not-downloaded": cause(
        r"HarmonyError|load.{0,60}\bvocab(?:ulary)? file|"
        r"openaipublic\.blob\.core\.windows\.net|(?:[Ee]rror|[Ff]ailed|not found).{0,200}\.tiktoken\b",
        "the vocabulary of gpt-oss (harmony, tiktoken) could not be downloaded",
        "it is no part of the model: it is downloaded at the start, and the node has no Internet, no DNS, or "
        "a proxy in between",
        "let the node reach openaipublic.blob.core.windows.net once; or put o200k_base.tiktoken and "
        "cl100k_base.tiktoken into a folder that the container sees, and name it: -e "
        "TIKTOKEN_ENCODINGS_BASE=…",
        "openai_harmony.HarmonyError: error downloading or loading vocab file: failed to download or load "
        "vocab file",
    ),
    "node-name-unknown": cause(
        r"ssh: Could not resolve hostname (?P<name>[\w.-]{1,120})",
        "the name of a node is not known here: {name}",
        "it is in neither /etc/hosts, ~/.ssh/config, DNS nor mDNS",
        "use its address, or put the name into /etc/hosts or ~/.ssh/config",
        "ssh: Could not resolve hostname spark-02: Name or service not known",
    ),
    "name-not-resolved": cause(
        r"Could not resolve (?:host(?:name)?|proxy)?:? ?['\"]?(?P<name>[\w.-]{1,120})|"
        r"(?:Temporary )?[Ff]ailure resolving ['\"‘](?P<name2>[\w.-]{1,120})|"
        r"[Ff]ailed to resolve ['\"](?P<name3>[\w.-]{1,120})|"
        r"unable to resolve (?:host )?(?:address )?['\"‘]?(?P<name4>[\w.-]{1,120})|"
        r"\blookup (?P<name5>[\w.-]{1,120}?)(?: on [\w.:\[\]]{1,60})?: (?:no such host|[Tt]emporary failure|"
        r"server misbehaving|.{0,80}i/o timeout)|"
        r"(?:host=|://|[Cc]annot connect to host )['\"]?(?P<name6>[\w.-]{1,120}).{0,500}(?:Temporary failure "
        r"in name resolution|Name or service not known|NameResolutionError|No address associated)|"
        r"Temporary failure (?:in name resolution|resolving)|Name or service not known|"
        r"failed to lookup address|no such host|No address associated with hostname|"
        r"getaddrinfo (?:EAI_AGAIN|ENOTFOUND) (?P<name7>[\w.-]{1,120})",
        "a name was not resolved: {name}",
        "the node's DNS does not answer, the node has no Internet, or the name is wrong",
        "check the node's DNS and Internet: resolvectl status, and resolvectl query with the name, on the "
        "node",
        "curl: (6) Could not resolve host: huggingface.co",
        remedies={During.BUILD: "the build has no name service: try --network host"},
    ),
}
