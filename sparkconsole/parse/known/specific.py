"""Lines that hold the words of a more general cause and mean another: tried before that one."""

from __future__ import annotations

from sparkconsole.parse.known.known import KnownCause, cause

SPECIFIC: tuple[KnownCause, ...] = (
    cause(
        "inotify-limit",
        r"System limit for number of file watchers|"
        r"inotify.{0,80}(?:limit|No space left|[Tt]oo many open files)|"
        r"(?:limit|number) (?:for|on|of) (?:the )?(?:number of )?inotify",
        "the system's limit of watched files (inotify) was reached",
        "it is no lack of disk: fs.inotify.max_user_watches or max_user_instances is too small",
        "sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512 on the node",
        "Error: ENOSPC: System limit for number of file watchers reached, watch '/srv'",
    ),
    cause(
        "shm-full",
        r"[Nn]o space left on device.{0,80}/dev/shm(?!/nccl)|/dev/shm(?!/nccl)(?!.{0,160}NCCL).{0,160}"
        r"[Nn]o space left on device",
        "shared memory (/dev/shm) is full, not the disk",
        "Docker gives a container 64 MB of it unless told otherwise",
        "start the container with --ipc host, or --shm-size 10g",
        "OSError: [Errno 28] No space left on device: '/dev/shm/psm_1a2b'",
    ),
    cause(
        "script-syntax",
        r"unexpected EOF while (?:looking for matching|parsing)|"
        r"[Ss]yntax error: [Uu]nexpected end of file|"
        r"syntax error near unexpected token|^(?:SyntaxError|IndentationError|TabError): ",
        "a script or a Python file is not well-formed",
        "a quote, a bracket or a block is left open, or the file was edited by hand or cut short",
        "the line and file that it names, or the one above it, must be mended",
        "bash: -c: line 1: unexpected EOF while looking for matching `\"'",
    ),
    cause(
        "exec-format",
        r"[Ee]xec format error",
        "a program cannot be executed here: exec format error",
        "it, or its image, is for another processor (a Spark is linux/arm64), or it is a script without a "
        "#! line",
        "an image for arm64: sparkconsole image list; a script of your own needs #!/bin/sh in its first line",
        "exec /usr/bin/bash: exec format error",
    ),
    cause(
        "cuda-not-initialised",
        r"CUDA error: initialization error|cudaErrorInitializationError|CUDA_ERROR_NOT_INITIALIZED|"
        r"Cannot re-initialize CUDA in forked subprocess",
        "CUDA did not initialise in a process",
        "the process was forked from one that had used CUDA, or driver and library do not fit",
        "VLLM_WORKER_MULTIPROCESSING_METHOD=spawn; sparkconsole doctor driver",
        "RuntimeError: CUDA error: initialization error",
    ),
)
