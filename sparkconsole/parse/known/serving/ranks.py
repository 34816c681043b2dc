"""How vLLM's ranks fail to meet, fall silent or die, and what the engine says of it."""

from sparkconsole.parse.known.known import During, cause, consequence, end

RANKS = {
    "ranks-over-gpus": cause(
        r"[Ww]orld size \(\d+\) is larger than the number of available GPUs",
        "there are more ranks than GPUs",
        "without Ray vLLM looks only at this node",
        "-tp times -pp must be the number of nodes; launch with --backend ray",
        "ValueError: World size (2) is larger than the number of available GPUs (1) in this node.",
    ),
    "ranks-apart": cause(
        r"client socket has (?:timed out|failed)|TCPStore.{0,400}(?:timed? ?out|timeout)|DistStoreError|"
        r"connectFullMesh failed|gloo/transport/.{0,200}connect \[|Timed out waiting for clients|"
        r"wait timeout after \d+ms, keys: |Timed out initializing process group",
        "the ranks did not find each other",
        "the address or port of rank 0 is not reached from the others, or one of them never started",
        "sparkconsole status, then fabric test; the same --nodes on every one",
        "torch.distributed.DistNetworkError: The client socket has timed out after 600000ms while trying to "
        "connect",
    ),
    "worker-illegal-instruction": cause(
        r"died unexpectedly \(exit code: -4\)|SIGILL|[Ii]llegal instruction",
        "a worker was ended by an illegal instruction",
        "a library in the image was built for another processor",
        "an image for this machine; on a pretend node leave out what needs AVX-512",
        "Worker proc VllmWorker-0 died unexpectedly (exit code: -4), shutting down executor.",
    ),
    "worker-killed": cause(
        r"died unexpectedly \(exit code: -9\)|exit(?:ed|code)?(?: with)?(?: code)?:? (?:137|-9)\b(?! of\b)|"
        r"signal 9|SIGKILL|^Killed$|\b\d+ Killed\b|\bOOMKilled\b",
        "a process was killed from outside",
        "the kernel does so when the memory is used up; Docker when a container is over its limit",
        "sparkconsole logs kernel names the victim; lower --gpu-memory-utilization",
        "Worker proc VllmWorker-1 died unexpectedly (exit code: -9), shutting down executor.",
        remedies={During.BUILD: "it ran out of memory: fewer --build-jobs"},
    ),
    "native-crash": cause(
        r"died unexpectedly \(exit code: -(?:7|8|11)\)|"
        r"^(?:double free or corruption|free\(\): |malloc\(\): |corrupted size|munmap_chunk|Segmentation "
        r"fault|Bus error)|Segfault encountered|SIGSEGV|SIGBUS|"
        r"Fatal Python error: (?P<said>(?!Aborted)[\w ]+)|stack smashing detected|buffer overflow detected",
        "native code crashed: {said}",
        "the driver, NCCL or a kernel, not the model; a bus error is most often a full /dev/shm",
        "see what it did last: sparkconsole logs; try --enforce-eager, or another image",
        "(RayWorkerProc pid=2158, ip=10.0.0.2) double free or corruption (fasttop)",
    ),
    "native-abort": end(
        r"died unexpectedly \(exit code: -6\)|^Aborted\b|SIGABRT|Fatal Python error: Aborted|"
        r"terminate called after throwing an instance of '(?P<thrown>(?!.{0,30}DistBackendError)[^']{1,80})'|"
        r"terminate called (?:without|recursively)",
        "native code gave up by itself: {thrown}",
        "an error that nobody caught; what it was stands in the lines before, or right below",
        "read the lines around it; sparkconsole logs of every node",
        "*** SIGABRT received at time=1763796179 on cpu 3 ***",
    ),
    "engine-not-ready": end(
        r"Timed out waiting for engine .{0,40}process|VLLM_ENGINE_READY_TIMEOUT_S|"
        r"[Dd]id not receive (?:response|.{0,40}message) from (?:the )?(?:front-?end|engine|"
        r"coordinator).{0,40}(?:process|within)|Engine (?:core )?(?:process )?did not (?:start|become ready)",
        "the engine was not ready in time",
        "weights from a slow disk or network, kernels that are compiled for the first time, or an engine "
        "that hangs",
        "VLLM_ENGINE_READY_TIMEOUT_S=3600 gives it more time; its own lines say how far it came: "
        "sparkconsole logs",
        "TimeoutError: Timed out waiting for engine core processes to start. Waited 600s",
    ),
    "rank-died": end(
        r"RayWorkerProc rank=\[?(?P<rank>\d+)\]? died|Worker proc (?P<worker>\S+) died unexpectedly|"
        r"ActorDiedError|ActorUnavailableError|NodeDiedError|The actor (?:died|is dead)",
        "a rank died: {worker}",
        "its node is gone, or something ended the process",
        "look at that node: sparkconsole status, logs",
        "RayWorkerProc rank=[1] died unexpectedly, shutting down executor.",
    ),
    "process-died": end(
        r"(?:\b[Ww]orkers?\b|\b[Ee]ngines?\b|EngineCore|\b[Rr]anks?\b|\b[Aa]ctors?\b|\b[Rr]aylet\b|\b[Pp]roc"
        r"(?:ess(?:es)?)?\b|\b[Ss]ubprocess\b|\b[Cc]ore\b|APIServer|\bAPI server\b)(?:(?!\b[Ii]f\b|"
        r"\b[Ww]hen\b|\b[Uu]nless\b).){0,100}?(?:(?:died|exited|terminated|ended|crashed|stopped|shut down|"
        r"quit)(?: \w+){0,3} unexpectedly|unexpectedly (?:died|exited|terminated|ended|crashed|stopped)|was "
        r"killed unexpectedly)",
        "a process of the server ended, and nobody told it to",
        "who says this saw it go, and does not know why",
        "the last lines of that process; sparkconsole logs kernel says whether memory was used up",
        "INFO 11-24 07:00:00 [core_client.py:1] worker process 4242 exited unexpectedly",
        calm=True,
    ),
    "rank-silent": end(
        r"RPC call to \w+ timed out|"
        r"No available shared memory broadcast block found in \d+ ?s(?:ec(?:ond)?s?)?\b|"
        r"failed to pass monitoredBarrier|\bGetTimeoutError|ChannelTimeoutError|"
        r"TimeoutError: .{0,400}(?:sample_tokens|execute_model)|sample_tokens.{0,400}timed out",
        "a rank no longer answers",
        "its node is lost, or it hangs in a collective",
        "sparkconsole serve status and status name the node that is silent",
        "TimeoutError: RPC call to sample_tokens timed out.",
        calm=True,
    ),
    "engine-ended": consequence(
        r"Engine core initialization failed|EngineDeadError|EngineCore (?:encountered|failed|died)|"
        r"Engine process failed|Failed core proc|"
        r"WorkerProc (?:initialization failed|failed to start|hit an exception)|Executor failed|"
        r"AsyncLLM output_handler failed|Engine loop has died|AsyncEngineDead|RuntimeError: cancelled|"
        r"Worker failed with error|BackgroundLoopHasDied|Exception in worker|Error executing method",
        "the engine ended",
        "vLLM's main process says this when a worker ended",
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
    ),
}
