"""What the kernel, systemd-oomd and earlyoom say when memory is used up: who was killed, not who asked."""

from sparkconsole.parse.known.known import cause, end

KILLED, VICTIM, ASKED = "kernel-oom", "kernel-oom-victim", "kernel-oom-asked"
"""One kill is said by all of them; each earlier one says more."""
_WHY = "weights, KV cache, page cache and containers share one memory on a Spark"
_REMEDY = (
    "lower --gpu-memory-utilization to 0.75–0.80; sparkconsole serve --guard stops the server before that"
)

OOM = {
    KILLED: cause(
        r"(?<!cgroup )[Oo]ut of memory: Kill(?:ed|ing)? process \d+,? \((?P<victim>[^)]{1,80})\)|"
        r"systemd-oomd\[\d+\]: Killed (?P<victim2>/\S{1,300})|"
        r"Killed (?P<victim3>/\S{1,300}) due to (?:memory|swap)|"
        r"sending SIG(?:TERM|KILL) to process \d+ uid \d+ \"(?P<victim4>[^\"]{1,80})\"",
        "the machine ran out of memory, and a process was killed: {victim}",
        _WHY,
        _REMEDY,
        "Out of memory: Killed process 4321 (VLLM::Worker_TP) total-vm:1kB, anon-rss:1kB",
        calm=True,
    ),
    "cgroup-oom": cause(
        r"Memory cgroup out of memory: Kill(?:ed)? process \d+ \((?P<victim>[^)]{1,80})\)",
        "a container or service reached its memory limit, and a process of it was killed: {victim}",
        "its cgroup has a limit of its own (docker run --memory, systemd MemoryMax)",
        "raise or drop that limit; lower --gpu-memory-utilization to 0.75–0.80",
        "Memory cgroup out of memory: Killed process 777 (ray::IDLE) total-vm:1kB, anon-rss:1kB",
        calm=True,
    ),
    VICTIM: end(
        r"oom-kill:.{0,600}?\btask=(?P<victim>[^,]{1,80})|"
        r"oom_reaper: reaped process \d+ \((?P<victim2>[^)]{1,80})\)",
        "the kernel ran out of memory and killed a process: {victim}",
        _WHY,
        _REMEDY,
        "oom_reaper: reaped process 4321 (VLLM::Worker_TP), now anon-rss:0kB, file-rss:0kB",
        calm=True,
    ),
    ASKED: end(
        r"(?<![\w:./-])(?P<asker>[\w:./-]{1,64}) invoked oom-killer|oom-kill:",
        "the kernel ran out of memory; which process it killed is not in this log",
        "the process that asked for memory then is seldom the one that is killed: {asker}",
        "sparkconsole logs kernel has the line `Killed process`; lower --gpu-memory-utilization",
        "sshd invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0",
        calm=True,
    ),
}
