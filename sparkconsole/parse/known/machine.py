"""What Ray, Docker, SSH and the kernel say. Ray 2.40 to 2.60, Docker 20 to 29, Linux with NVIDIA's driver."""

from __future__ import annotations

from sparkconsole.parse.known.known import Known, cause, end, fact, harmless, warning

MACHINE: tuple[Known, ...] = (
    cause(
        "guard-fired",
        r"sparkconsole guard: MemAvailable is (?P<left>\d+) kB, the line is (?P<line>\d+) kB",
        "the memory guard ended the server: {left} kB of memory were left, its line is {line} kB",
        "below that line a machine whose GPU shares its memory freezes",
        "serve with less --gpu-memory-utilization, --max-model-len or --max-num-seqs: sparkconsole model fit",
        "sparkconsole guard: MemAvailable is 3145728 kB, the line is 4194304 kB: the server is ended before "
        "the machine freezes",
    ),
    cause(
        "kernel-oom",
        r"(?:systemd-oomd\[\d+\]: Killed|Killed .* due to memory pressure|Out of memory: Killed process "
        r"(?P<pid>\d+) \((?P<victim>[^)]+)\)|oom-kill:|"
        r"(?P<asker>[\w:.-]+) invoked oom-killer|Memory cgroup out of memory: Killed process \d+ "
        r"\((?P<other>[^)]+)\))",
        "the kernel ran out of memory and killed a process: {victim}{other}{asker}",
        "weights, KV cache, page cache and containers share one memory on a Spark",
        "lower --gpu-memory-utilization to 0.75–0.80; sparkconsole serve --guard stops the server before "
        "that",
        "Out of memory: Killed process 4321 (VLLM::Worker_TP) total-vm:1kB, anon-rss:1kB",
    ),
    cause(
        "driver-no-memory",
        r"NVRM: .*(?:NV_ERR_NO_MEMORY|Out of memory)|_memdescAllocInternal",
        "NVIDIA's driver could not get memory",
        "the unified memory was used up; with drivers up to 580.159.03 also a leak",
        "lower --gpu-memory-utilization; driver 580.173.02 or newer; "
        "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
        "NVRM: nvCheckOkFailedNoLog: Check failed: Out of memory [NV_ERR_NO_MEMORY]",
    ),
    cause(
        "gpu-lost",
        r"Xid.*: 79\b|GPU has fallen off the bus|GPU is lost|GPU requires reset|Unable to determine the "
        r"device handle",
        "the GPU no longer answers (Xid 79)",
        "power, heat, or a driver that lost it",
        "switch the machine off and on; update the driver and firmware when it happens again",
        "NVRM: Xid (PCI:000f:01:00): 79, pid=0, GPU has fallen off the bus.",
    ),
    cause(
        "gpu-memory",
        r"NVRM: Xid \([^)]*\): (?P<xid>48|63|64|92|94|95)\b",
        "the GPU found an error in its memory: Xid {xid}",
        "an uncorrectable error, or one that was contained",
        "switch the machine off and on; when it comes back have it looked at",
        "NVRM: Xid (PCI:000f:01:00): 94, pid=4242, Contained ECC error",
    ),
    cause(
        "gpu-firmware",
        r"NVRM: Xid \([^)]*\): (?P<xid>61|62|109|119|120|121|143|154)\b",
        "the GPU's own firmware failed: Xid {xid}",
        "it stopped answering the driver",
        "switch the machine off and on; the newest driver and firmware",
        "NVRM: Xid (PCI:000f:01:00): 119, pid=4242, Timeout waiting for RPC from GSP",
    ),
    cause(
        "gpu-xid",
        r"NVRM: Xid \([^)]*\): (?P<xid>\d+)(?:.*?name=(?P<process>[\w:.-]+))?",
        "the GPU's driver told an error: Xid {xid} {process}",
        "13, 31: a kernel read what it may not; 43, 45: a program was ended; others: see NVIDIA's list of "
        "Xids",
        "start the server again; try another backend or --enforce-eager; update the driver when it comes "
        "back",
        "NVRM: Xid (PCI:000f:01:00): 31, pid=4242, name=VLLM::Worker, MMU Fault",
    ),
    cause(
        "nic-failed",
        r"mlx5\w* .*(?:health (?:poll|compromised|recovery)|device's health|fatal error|enter error state|"
        r"cmd_exec timeout|"
        r"pre-initializing|error -110|wait for FW)|mlx5_cmd_(?:check|out_err)|mlx5\w* .*(?:wait_func|"
        r"timeout\. Will cause)",
        "the ConnectX NIC failed",
        "its firmware hangs, or it was powered down under load",
        "switch the machine off and on; the same firmware on all nodes: sparkconsole doctor",
        "mlx5_core 0000:01:00.0: device's health compromised - reached miss count",
    ),
    cause(
        "pcie-timeout",
        r"CmpltTO|CMD_SYNC timeout|arm-smmu-v3.*event 0x|pcieport .*(?:Uncorrectable|\(Fatal\)|UncorrErr)|"
        r"AER: .*(?:Uncorrect|"
        r"Fatal)",
        "a device on the PCIe bus did not answer in time",
        "seen with ConnectX-7 behind the SMMU; files may have been damaged",
        "switch the machine off and on; the vendor's firmware; check the models: sparkconsole model list",
        "pcieport 0000:00:00.0: AER: Uncorrectable (Non-Fatal) error: CmpltTO",
    ),
    cause(
        "disk-failed",
        r"EXT4-fs error|XFS \S+: .*(?:[Cc]orrupt|[Ss]hut)|BTRFS (?:error|critical)|I/O error, dev|"
        r"nvme\d.*(?:timeout, (?:aborting|reset)|controller is down)|"
        r"Remounting filesystem read-only|Buffer I/O error",
        "the disk or its file system failed",
        "the kernel says so itself",
        "save what matters; check the disk (smartctl), then the file system",
        "EXT4-fs error (device nvme0n1p2): ext4_find_entry:1683: reading directory lblock 0",
    ),
    warning(
        "nic-link-down",
        r"mlx5_core .*[Ll]ink down|(?:enp\w+|roce\w+): (?:NIC Link is Down|[Ll]ink is? down|carrier lost)",
        "a fabric port lost its link",
        "the cable moved, or the peer went down",
        "sparkconsole status shows the links; reseat the cable",
        "mlx5_core 0000:01:00.1 enp1s0f1np1: Link down",
    ),
    warning(
        "nic-power",
        r"PCIe slot power capability was not advertised",
        "the NIC runs with less power: RDMA stays at 13 Gb/s",
        "the cable was plugged in while the hotplug flag keeps the NIC off",
        "remove /etc/nvidia/cx7-hotplug-enabled and reboot both nodes with the cable in",
        "mlx5_core 0000:01:00.0: PCIe slot power capability was not advertised.",
    ),
    warning(
        "hot",
        r"(?:GPU|CPU|Package|thermal).*(?:temperature above threshold|throttl(?:ed|ing)|critical "
        r"temperature)|HW Thermal Slowdown",
        "the machine throttles because it is hot",
        "airflow, or dust",
        "give it air; sparkconsole status shows the temperature",
        "CPU3: Package temperature above threshold, cpu clock throttled (total events = 1)",
    ),
    cause(
        "ray-node-dead",
        r"node name: (?P<node>\S+) has been marked dead|\"state\": ?\"DEAD\".*?\"state_message\": "
        r"?\"(?P<said>[^\"]*)|"
        r"[Nn]ode (?P<id>[0-9a-f]{8,}) (?:is|was) (?:marked )?dead|missing too many heartbeats|"
        r"raylet.*(?:exited unexpectedly|marked itself as dead)|This node has (?:been|beem) marked as dead|"
        r"Raylet terminated",
        "Ray lost a node: {said}",
        "the machine, its raylet, or the link between is gone",
        "sparkconsole status; bring it back with node restart",
        "The node with node id: 6ced and address: 10.0.0.2 and node name: 10.0.0.2 has been marked dead",
    ),
    cause(
        "ray-oom",
        r"killed due to the node running low on memory(?:.*?IP: (?P<address>[\d.]+))?|OOM kill reason|"
        r"Killing \d+ worker\(s\)|"
        r"ray\.exceptions\.OutOfMemoryError|^OutOfMemoryError$|exceeds the memory usage threshold",
        "Ray killed a worker to save memory: {address}",
        "Ray's memory monitor counts unified memory as the node's own",
        "RAY_memory_monitor_refresh_ms=0 (sparkconsole launch sets it), and a lower --gpu-memory-utilization",
        "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 10.0.0.2, "
        "ID: ab)",
    ),
    cause(
        "ray-versions-differ",
        r"Version mismatch: |(?:Ray|Python) version.*(?:does not match|mismatch)|[Mm]ismatched? (?:Ray|"
        r"Python) version",
        "the node's Ray or Python is not the cluster's",
        "their images differ",
        "copy one image to all: sparkconsole image copy",
        "RuntimeError: Version mismatch: The cluster was started with:",
    ),
    cause(
        "ray-head-not-reached",
        r"Failed to connect to GCS|Failed to get cluster ID from GCS|Timed out while waiting for GCS|"
        r"Unable to connect to (?:the )?GCS|GCS (?:is|server) (?:not|un)(?: ?reachable|available)|Could not "
        r"(?:find|connect to) (?:any running|the) Ray",
        "Ray's head does not answer",
        "it is not up, its port is blocked, or the address is of another interface",
        "sparkconsole status; fabric test shows whether the address is reached",
        "rpc_client.h:153: Failed to connect to GCS at address 10.0.0.1:6379 within 5 seconds.",
    ),
    cause(
        "ray-shared-memory",
        r"object store size .* exceeds /dev/shm",
        "Ray's object store does not fit into the container's shared memory",
        "Docker gives 64 MB unless told otherwise",
        "start it with --ipc host or --shm-size, as sparkconsole launch does",
        "ValueError: The configured object store size (30.0GB) exceeds /dev/shm size (10.0GB).",
    ),
    cause(
        "ray-no-session",
        r"ray\.init could not find|/tmp/ray/session_\S+.*(?:No such file|not found)|No such file "
        r".*/tmp/ray/session_",
        "Ray's session on this node is gone",
        "it was stopped, or its folder was removed while it ran",
        "sparkconsole node restart",
        "ConnectionError: ray.init could not find session_2026: No such file or directory "
        "'/tmp/ray/session_2026/x'",
    ),
    cause(
        "ray-port-clash",
        r"Ray component \w+ is trying to use a port number (?P<port>\d+)",
        "Ray's port {port} is wanted twice",
        "a port of the head lies in the workers' range (10002–19999)",
        "choose another: launch --ray-port",
        "ValueError: Ray component worker_ports is trying to use a port number 16479 that is used by other "
        "components.",
    ),
    cause(
        "ray-too-few-gpus",
        r"Cannot provide a placement group|placement group.*(?:infeasible|cannot be (?:created|scheduled))|"
        r"(?:The number of )?required GPUs exceeds the total number of available GPUs|demands? .*cannot be "
        r"(?:satisfied|scheduled)",
        "Ray has fewer GPUs than there are ranks",
        "a node is not in the cluster, or Ray knows it by another address than VLLM_HOST_IP",
        "sparkconsole status shows the members; node restart brings one back",
        "ValueError: Cannot provide a placement group requiring 2 GPUs within 1800 seconds.",
    ),
    warning(
        "ray-placement-pending",
        r"specs=\[.*'node:(?P<address>[\d.]+)'.*\(PACK\)|\"state\": ?\"PENDING\".*placement_group|"
        r"placement_group.*\"state\": ?\"PENDING\"|"
        r"[1-9]\d*\+ pending placement groups",
        "Ray waits for GPUs that it does not have: {address}",
        "it knows the nodes by other addresses than vLLM does, or one of them is missing",
        "VLLM_HOST_IP must be Ray's own address of each node: sparkconsole launch sets both",
        "specs=[{'GPU': 1.0, 'node:192.168.50.192': 0.001}, {'GPU': 1.0}] (PACK)",
    ),
    end(
        "raylet-ended",
        r"raylet.*(?:exited|died|terminated|fatal)|END raylet\.out tail \(exit code|Some Ray subprocesses "
        r"exited unexpectedly|"
        r"Remaining processes will be killed",
        "Ray's process on this node ended",
        "it lost the head, or was killed",
        "sparkconsole node restart; logs ray",
        "Some Ray subprocesses exited unexpectedly:",
    ),
    cause(
        "docker-not-permitted",
        r"permission denied while trying to connect to the Docker|[Gg]ot permission denied.*docker\.sock|"
        r"dial unix /var/run/docker\.sock: connect: permission denied",
        "the user may not use Docker",
        "only the group docker may",
        "sudo usermod -aG docker $USER on the node, then log in again",
        "permission denied while trying to connect to the Docker daemon socket at "
        "unix:///var/run/docker.sock",
    ),
    cause(
        "docker-down",
        r"Cannot connect to the Docker daemon|[Ii]s the docker daemon running|failed to start daemon",
        "Docker does not run",
        "the engine is stopped, or failed to start",
        "sudo systemctl start docker on the node; journalctl -u docker says why not",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    ),
    cause(
        "docker-name-taken",
        r"container name \"?/?(?P<name>[^\"\s]+)\"? is already in use",
        "a container of that name is there already: {name}",
        "left over from before",
        "sparkconsole stop removes it after keeping its logs",
        'Conflict. The container name "/vllm_node" is already in use by container "ab12"',
    ),
    cause(
        "docker-no-image",
        r"No such image:? ?(?P<image>\S*)|pull access denied for "
        r"(?P<other>\S+?)[,.]|"
        r"manifest (?:for \S+ |unknown)|repository does not exist or may require",
        "the image is not on this node: {image}{other}",
        "it was not copied here",
        "sparkconsole image copy",
        "Error response from daemon: No such image: vllm-node:latest",
    ),
    fact(
        "docker-pulls",
        r"Unable to find image '(?P<image>[^']+)' locally",
        "Docker looks for the image elsewhere: {image}",
        "it is not on this node",
        "sparkconsole image copy, where it should have been here",
        "Unable to find image 'vllm-node:latest' locally",
    ),
    cause(
        "docker-no-container",
        r"No such container: ?(?P<name>\S*)|[Cc]ontainer \S+ is not running",
        "the container is not there: {name}",
        "it was removed, or has ended",
        "sparkconsole status; launch starts it",
        "Error response from daemon: No such container: vllm_node",
    ),
    cause(
        "no-such-command",
        r"\"(?P<name>[^\"]+)\": executable file not found in \$PATH|\b(?P<other>vllm|ray|docker|python3?|"
        r"nvidia-smi|hf): command not found",
        "there is no such program: {name}{other}",
        "the image, or the machine, does not have it",
        "another image, or its full path",
        'exec failed: unable to start container process: exec: "vllm": executable file not found in $PATH',
    ),
    cause(
        "registry-refused",
        r"toomanyrequests|pull rate limit|x509: certificate|no basic auth credentials|denied: requested "
        r"access",
        "the registry did not give the image",
        "too many pulls, a certificate that is not trusted, or no login",
        "docker login; or build it: sparkconsole image build",
        "Error response from daemon: toomanyrequests: You have reached your pull rate limit.",
    ),
    cause(
        "docker-other-platform",
        r"exec format error|no matching "
        r"manifest for (?P<wants>\S+)",
        "the image is for another processor: {wants}",
        "a Spark is linux/arm64",
        "build it on a Spark: sparkconsole image build",
        "exec /usr/bin/bash: exec format error",
    ),
    cause(
        "docker-no-gpu",
        r"could not select device driver \"?\"? ?with capabilities|nvidia-container-cli|unknown (?:or "
        r"invalid )?runtime name: nvidia|"
        r"failed to discover GPU vendor|unresolvable CDI devices",
        "Docker cannot give the GPU to a container",
        "NVIDIA's container toolkit is missing, or its driver is down",
        "nvidia-smi must work on the node; sudo nvidia-ctk runtime configure --runtime=docker, then restart "
        "docker",
        'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].',
    ),
    cause(
        "docker-blob-missing",
        r"docker-import-\S*blobs/sha256|blobs/sha256/\S+: no such file or directory|content digest \S+: not "
        r"found|"
        r"failed to (?:read|resolve) .*blob|unexpected EOF.*(?:load|import)|archive/tar: invalid",
        "an image archive is not whole",
        "docker save of a multi-platform image from a containerd store leaves blobs out, or the stream broke",
        "docker save --platform linux/arm64; sparkconsole image copy does so and proves what arrived",
        "open /var/lib/docker/tmp/docker-import-1/blobs/sha256/ab: no such file or directory",
    ),
    warning(
        "platform-differs",
        r"requested image's platform \((?P<has>[^)]+)\) does not match",
        "the image is for another processor: {has}",
        "it runs only where the kernel can translate it, and slowly",
        "build it on a Spark: sparkconsole image build",
        "WARNING: The requested image's platform (linux/amd64) does not match the detected host platform",
    ),
    warning(
        "image-differs",
        r"Docker image mismatch on (?:worker )?node \(?(?P<node>[^)\s:]+)",
        "the image of {node} seems to be another one",
        "ids differ between Docker's two image stores for the same image: only the layers tell",
        "sparkconsole image list compares the content",
        "Error: Docker image mismatch on worker node (10.0.0.2):",
    ),
    cause(
        "build-failed",
        r"^#?\d* ?ERROR: (?P<said>.*)|failed to solve: (?P<solve>.*)|ERROR: failed to build",
        "the image could not be built: {said}{solve}",
        "the step above it failed",
        "sparkconsole runs show has its output",
        'ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2',
    ),
    cause(
        "ssh-refused",
        r"Permission denied \((?:publickey|password|keyboard)|Host key verification failed|REMOTE HOST "
        r"IDENTIFICATION HAS CHANGED|"
        r"Too many authentication failures",
        "SSH does not let you in",
        "the key is not known there, or the machine's own key changed",
        "ssh-copy-id; sparkconsole node trust",
        "user@10.0.0.2: Permission denied (publickey,password).",
    ),
    cause(
        "host-not-reached",
        r"(?:ssh|connect): .*(?:No route to host|Connection timed out|Network is unreachable|"
        r"Connection refused|Could not resolve)|"
        r"Temporary failure in name resolution|Name or service not known",
        "a host cannot be reached",
        "it is off, its name is unknown, or the network between is down",
        "sparkconsole status",
        "ssh: connect to host 10.0.0.2 port 22: No route to host",
    ),
    harmless(
        "ray-noise",
        r"Token authentication is disabled|check your firewall settings|prometheus healthcheck|"
        r"/dev/shm.*(?:only|less than)|Memory usage above threshold but no workers|"
        r"NVRM: loading|nvidia-modeset|audit:|apparmor=\"(?:STATUS|ALLOWED)|AER: .*Corrected|Corrected error|"
        r"Connection to \S+ closed",
        "said by every Ray and every kernel",
        "WARNING authentication_token_setup.py:73 -- Token authentication is disabled for this Ray cluster.",
    ),
)
