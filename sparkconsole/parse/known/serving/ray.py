"""What Ray says of nodes, workers and what it waits for. Ray 2.40 to 2.60."""

from sparkconsole.parse.known.known import cause, end, harmless, warning

RAY = {
    "ray-node-dead": cause(
        r"node name: (?P<node>\S+) has been marked dead|"
        r"\"state\": ?\"DEAD\".{0,600}?\"state_message\": ?\"(?P<said>[^\"]*)|"
        r"[Nn]ode (?P<id>[0-9a-f]{8,}) (?:is|was) (?:marked )?dead|missing too many heartbeats|"
        r"raylet.{0,400}(?:exited unexpectedly|marked itself as dead)|"
        r"mark(?:ed|s) (?:itself )?(?:as )?dead by the GCS|This node has (?:been|beem) marked as dead|"
        r"Raylet terminated",
        "Ray lost a node: {said}",
        "the machine, its raylet, or the link between is gone",
        "sparkconsole status; bring it back with node restart",
        "The node with node id: 6ced and address: 10.0.0.2 and node name: 10.0.0.2 has been marked dead",
        calm=True,
    ),
    "ray-oom": cause(
        r"killed due to the node running low on memory(?:.{0,400}?IP: (?P<address>[\d.]+))?|OOM kill reason|"
        r"Killing \d+ worker\(s\)|ray\.exceptions\.OutOfMemoryError|^OutOfMemoryError$|"
        r"exceeds the memory usage threshold",
        "Ray killed a worker to save memory: {address}",
        "Ray's memory monitor counts unified memory as the node's own",
        "RAY_memory_monitor_refresh_ms=0 (sparkconsole launch sets it), and a lower --gpu-memory-utilization",
        "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 10.0.0.2, "
        "ID: ab)",
        calm=True,
    ),
    "ray-agent-failed": cause(
        r"(?:one|the|a) Ray agent failed(?:, agent_name = (?P<agent>\w{1,40}))?|"
        r"raylet fate.shares with the agent|"
        r"(?P<agent2>dashboard[_ ]agent|runtime_env_agent)\b.{0,80}(?:failed|exited|died|crashed)|"
        r"agent.{0,200}grpcio|grpcio.{0,80}doesn't follow",
        "an agent of Ray's on this node failed, and its raylet ended with it: {agent}",
        "the image's grpcio is not the version that this Ray needs, a port is taken, or it was killed",
        "in the container: pip freeze | grep grpcio, and /tmp/ray/session_latest/logs/dashboard_agent.log; "
        "an image whose grpcio fits its Ray",
        "The raylet exited immediately because one Ray agent failed, agent_name = dashboard_agent.",
        calm=True,
    ),
    "ray-versions-differ": cause(
        r"Version mismatch: |(?:Ray|Python) version.{0,400}(?:does not match|mismatch)|"
        r"[Mm]ismatched? (?:Ray|Python) version",
        "the node's Ray or Python is not the cluster's",
        "their images differ",
        "copy one image to all: sparkconsole image copy",
        "RuntimeError: Version mismatch: The cluster was started with:",
    ),
    "ray-head-not-reached": cause(
        r"Failed to connect to GCS|Failed to get cluster ID from GCS|Timed out while waiting for GCS|"
        r"Unable to connect to (?:the )?GCS|[Rr]econnect to (?:the )?GCS|GCS may have been killed|"
        r"GCS (?:is|server) (?:not|un)(?: ?reachable|available)|"
        r"Could not (?:find|connect to) (?:any running|the) Ray",
        "the node could not reach Ray on the head",
        "it is not up, its port is blocked, or the address is of another interface",
        "sparkconsole status; fabric test shows whether the address is reached",
        "rpc_client.h:153: Failed to connect to GCS at address 10.0.0.1:6379 within 5 seconds.",
        calm=True,
    ),
    "ray-start-timeout": cause(
        r"current node timed out during startup|GCS cannot find the node with node ID|raylet_start_wait_time|"
        r"node registration may not be complete",
        "this node did not become a member of Ray in time",
        "its raylet ended at once, the head is overloaded, or the head's ports are not all reached from here",
        "sparkconsole logs ray, raylet.out in it; sparkconsole status; RAY_raylet_start_wait_time_s gives it "
        "more time",
        "Exception: The current node timed out during startup. This could happen because some of the raylet "
        "failed to startup",
    ),
    "ray-not-a-member": cause(
        r"No node info found matching attributes|"
        r"node (?:ip )?(?:address )?[\d.]+ (?:is )?not (?:found|part of|registered)|"
        r"This node is not (?:in|part of) the (?:Ray )?cluster|Can't find a node_ip_address",
        "this node is not a member of the Ray cluster that it asked",
        "no raylet runs on it, or it joined by another address than the one that is looked for",
        "sparkconsole status shows the members; node restart joins it again; VLLM_HOST_IP must be Ray's own "
        "address",
        "Exception: No node info found matching attributes",
    ),
    "ray-address-twice": cause(
        r"Every node should have a unique IP address|[Dd]uplicate (?:node )?IP|same VLLM_HOST_IP",
        "two nodes go by one address, or one node by two",
        "VLLM_HOST_IP is the same on several nodes, or differs from the address that Ray knows",
        "each node's own address in VLLM_HOST_IP: sparkconsole launch sets it; sparkconsole status shows "
        "Ray's",
        "RuntimeError: Every node should have a unique IP address. Got 1 nodes and 2 unique IP addresses",
    ),
    "ray-node-address": cause(
        r"No available node types can fulfill resource request \{[^}]{0,80}'node:(?P<address>[\d.]+)'",
        "Ray has no node of the address {address}",
        "vLLM asks for its own node by an address that Ray does not know it by: another interface's",
        "VLLM_HOST_IP must be the address that the node joined Ray with: sparkconsole status",
        "Error: No available node types can fulfill resource request {'node:10.0.9.5': 0.001, 'GPU': 1.0}.",
    ),
    "ray-worker-not-registered": cause(
        r"(?:Failed|Unable) to register worker|Failed to register with raylet|"
        r"worker .{0,60}failed to register|The core worker process .{0,60}failed to register",
        "a Ray worker could not register with the raylet of its node",
        "the raylet ended, its session under /tmp/ray is gone, or the machine is out of processes or memory",
        "sparkconsole node restart; logs ray",
        "Failed to register worker 01000000ffff to Raylet. IOError: [RayletClient] Unable to register worker "
        "with raylet.",
    ),
    "ray-shared-memory": cause(
        r"object store size .{0,400} exceeds /dev/shm",
        "Ray's object store does not fit into the container's shared memory",
        "Docker gives 64 MB unless told otherwise",
        "start it with --ipc host or --shm-size",
        "ValueError: The configured object store size (30.0GB) exceeds /dev/shm size (10.0GB).",
    ),
    "ray-session-differs": cause(
        r"Session name \S{1,120} does not match persisted value",
        "this node's Ray was left over from an earlier start",
        "the head was started anew meanwhile",
        "sparkconsole stop on all nodes, then launch",
        "AssertionError: Session name session_2026-01 does not match persisted value session_2025-12.",
    ),
    "ray-runtime-env": cause(
        r"RuntimeEnvSetupError|Failed to set up runtime environment",
        "Ray could not prepare the environment of a worker",
        "its agent on that node ended, or packages that it should install cannot be had",
        "sparkconsole logs ray: runtime_env_setup and runtime_env_agent in it; node restart",
        "ray.exceptions.RuntimeEnvSetupError: Failed to set up runtime environment.",
    ),
    "ray-no-session": cause(
        r"ray\.init could not find|/tmp/ray/session_\S.{0,500}(?:No such file|not found)|"
        r"No such file .{0,400}/tmp/ray/session_",
        "Ray's session on this node is gone",
        "it was stopped, or its folder was removed while it ran",
        "sparkconsole node restart",
        "ConnectionError: ray.init could not find session_2026: No such file or directory "
        "'/tmp/ray/session_2026/x'",
    ),
    "ray-no-dashboard": cause(
        r"Cannot include dashboard with missing packages",
        "the image's Ray has no dashboard",
        "Ray was installed without its extra `default`",
        "build the image with ray[default]",
        "Exception: Cannot include dashboard with missing packages: No module named 'aiohttp'",
    ),
    "ray-option-unknown": cause(
        r"No such option:? (?P<option>--\S{1,60})",
        "this version of Ray does not know {option}",
        "flags come and go between versions",
        "see `ray start --help` in the image",
        "Error: No such option: --no-such-flag",
    ),
    "ray-runs-already": cause(
        r"Ray is trying to start at .{0,80}but is already running at (?P<address>\S{1,80})",
        "a Ray runs here already: {address}",
        "it was started by somebody else, or left over",
        "sparkconsole stop; ss -ltnp shows who listens",
        "ConnectionError: Ray is trying to start at 10.0.0.1:6379, but is already running at 10.0.0.1:6379.",
    ),
    "ray-port-clash": cause(
        r"Ray component \w+ is trying to use a port number (?P<port>\d+)",
        "Ray's port {port} is in use, or in the range that Ray gives its workers",
        "a port of the head lies in the workers' range (10002–19999), or something listens there",
        "stop what listens there, or choose another: launch --ray-port",
        "ValueError: Ray component worker_ports is trying to use a port number 16479 that is used by other "
        "components.",
    ),
    "ray-too-few-gpus": cause(
        r"Cannot provide a placement group|ActorUnschedulableError|"
        r"Ray does not allocate any GPUs on the driver node|"
        r"placement group.{0,400}(?:infeasible|cannot be (?:created|scheduled))|"
        r"(?:The number of )?required GPUs exceeds the total number of available GPUs|"
        r"demands? .{0,400}cannot be (?:satisfied|scheduled)",
        "Ray has fewer GPUs than there are ranks",
        "a node is not in the cluster, or Ray knows it by another address than VLLM_HOST_IP",
        "sparkconsole status shows the members; node restart brings one back",
        "ValueError: Cannot provide a placement group requiring 2 GPUs within 1800 seconds.",
    ),
    "ray-placement-pending": warning(
        r"specs=\[.{0,400}'node:(?P<address>[\d.]+)'.{0,400}\(PACK\)|"
        r"\"state\": ?\"PENDING\".{0,400}placement_group|placement_group.{0,400}\"state\": ?\"PENDING\"|"
        r"\b[1-9]\d{0,6}\+ pending placement groups",
        "Ray waits for GPUs that it does not have: {address}",
        "it knows the nodes by other addresses than vLLM does, or one of them is missing",
        "VLLM_HOST_IP must be Ray's own address of each node: sparkconsole launch sets both",
        "specs=[{'GPU': 1.0, 'node:192.168.50.192': 0.001}, {'GPU': 1.0}] (PACK)",
    ),
    "raylet-ended": end(
        r"raylet.{0,400}(?:exited|died|terminated|fatal)|END raylet\.out tail \(exit code|"
        r"Some Ray subprocesses exited unexpectedly|Remaining processes will be killed",
        "Ray's process on this node ended",
        "it lost the head, one of its agents failed, or it was killed",
        "sparkconsole node restart; logs ray",
        "Some Ray subprocesses exited unexpectedly:",
    ),
    "ray-worker-ended": end(
        r"A worker died or was killed while executing|Worker unexpectedly exits with a connection error|"
        r"[Tt]he worker died unexpectedly|Worker exit type: (?P<type>SYSTEM_ERROR)|WorkerCrashedError",
        "a Ray worker ended without a word",
        "Ray saw its connection close and does not know why; the list of causes below it is a guess",
        "the worker's own log, and the kernel's on its node: sparkconsole logs kernel",
        "(raylet) A worker died or was killed while executing a task by an unexpected system error.",
    ),
    "ray-agent-guesses": harmless(
        r"^The raylet fate.shares with the agent\. This can happen because$|"
        r"^- The (?:version of .{1,3}grpcio|agent )",
        "Ray's list of what might be, below the agent that failed",
        "- The agent is killed by the OS (e.g., out of memory).",
    ),
}
