"""What NCCL, Gloo and libibverbs say. Sources: NCCL 2.27 to 2.30, and logs of Spark clusters."""

from sparkconsole.parse.known.known import cause, consequence, end, harmless, warning
from sparkconsole.parse.known.numbered.cuda_errors import CUDA_ERRORS
from sparkconsole.parse.known.numbered.errnos import ERRNOS
from sparkconsole.parse.known.numbered.fabric import NCCL_RESULTS, VENDOR, WC_STATUS, WC_WORDS

FABRIC = {
    "nccl-unreachable-gid": cause(
        r"ibv_modify_qp failed with (?:110\b|113\b|101\b|error (?:Connection timed out|No route to host|"
        r"Network is unreachable))(?:.{0,400}?on dev (?P<device>[\w.]+))?(?:.{0,400}?local GID "
        r"(?P<local>[0-9a-f.]*:[0-9a-f:.]+))?(?:.{0,400}?remote GID (?P<remote>[0-9a-f:.]+))?",
        "the RDMA device {device} cannot reach its peer: {local} {remote}",
        "the two ports are not on one cable or subnet: an unpinned device picked a port that is cabled "
        "elsewhere",
        "pin NCCL_IB_HCA to the devices of the shared link (launch --ib-if …); compare the subnets: fabric "
        "test",
        "Call to ibv_modify_qp failed with 110 Connection timed out, on dev rocep1s0f0:1, curr state INIT, "
        "next state RTR, local GID index 3, local GID ::ffff:10.0.1.1, remote GID ::ffff:10.0.9.1",
    ),
    "nccl-empty-gid": cause(
        r"ibv_modify_qp failed with (?:61\b|error No data available)(?:.{0,400}?on dev (?P<device>[\w.]+))?"
        r"(?:.{0,400}?GID index (?P<index>\d+))?",
        "a slot of the GID table is empty: {device} {index}",
        "NCCL_IB_GID_INDEX is pinned while that half has no address there, or the index moved when the peer "
        "rebooted",
        "unset NCCL_IB_GID_INDEX, or give both halves an address: sparkconsole doctor address",
        "ibv_modify_qp failed with 61 No data available, on dev roceP2p1s0f1:1, local GID index 3, local GID "
        "::",
    ),
    "nccl-gid-kinds": cause(
        r"ibv_modify_qp failed with (?:22\b|error Invalid argument)(?:.{0,400}?on dev (?P<device>[\w.]+))?",
        "the GIDs of the two ends of {device} are of different kinds",
        "one node's half has an IPv4 address (NetworkManager gave it 169.254), the other's only fe80",
        "give both halves static addresses on every node, or none: ipv4.method disabled, ipv6 link-local",
        "Call to ibv_modify_qp failed with 22 Invalid argument, on dev roceP2p1s0f1:1, local GID "
        "::ffff:169.254.1.2, remote GID fe80::1",
    ),
    "nccl-qp-failed": cause(
        r"ibv_modify_qp failed with (?:error )?(?P<errno>\d+ )?(?P<word>[\w ]+)|"
        r"non-zero status: (?P<status>\d+) ibv_modify_qp failed|"
        r"\b(?:[Cc]ouldn't|[Uu]nable to|[Ff]ailed to) modify (?:the )?QP\b",
        "an RDMA connection could not be made: {errno} {word}{status_means}",
        "the two ends do not agree on addresses, MTU or GIDs",
        "sparkconsole fabric test shows each rail; doctor shows what differs between the nodes",
        "Call to ibv_modify_qp failed with 19 No such device, on dev rocep1s0f0:1",
        numbers={"status": ERRNOS},
    ),
    "nccl-qp-error": cause(
        r"(?:Got completion from peer \S{1,80} with (?:status[= ]?|error )|wc[_.]status[ =:]{1,3}|"
        r"completion (?:with )?(?:status|error)[ =:]{1,2}|Failed status[ =:]{1,2}|\b(?=IBV_WC_))(?:IBV_WC_)?"
        r"(?P<status>[1-9]\d?\b|[A-Z_]{3,30}ERR\b|TM_RNDV_INCOMPLETE)"
        r"(?:.{0,80}?(?:vendor[ _]err(?:or)?|syndrome?)[ =:]{1,3}(?P<vendor>0x[0-9a-f]{1,4}|\d+))?|"
        rf"(?P<status2>{WC_WORDS})|Got completion .{{0,80}}error",
        "an RDMA transfer failed: {status_means}",
        "the cable, the port or the process at the other end went away while it was used",
        "sparkconsole status and fabric test; look at the other node's kernel log for mlx5 lines",
        "NCCL WARN NET/IB : Got completion from peer 10.0.0.2<51234> with status=12 opcode=0 len=0 vendor "
        "err 129",
        numbers={"status": WC_STATUS, "vendor": VENDOR},
    ),
    "nccl-memory-not-registered": cause(
        r"Call to ibv_reg_(?:dmabuf_)?mr\w{0,20} failed|"
        r"ibv_reg_(?:dmabuf_)?mr\w{0,20}.{0,80}(?:Cannot allocate memory|error 12\b|ENOMEM)|"
        r"Couldn't allocate MR",
        "RDMA could not register memory",
        "either the container's memlock limit is too small (8192 kB is Docker's own; --privileged has none), "
        "or the kernel's KHO keeps the memory that can be moved: kernels 7.0.0-1019-nvidia and 7.0.0-31 "
        "(HWE)",
        "memlock: --ulimit memlock=-1 --cap-add=IPC_LOCK; KHO: boot with kho=off, or kernel 6.17; which of "
        "them: uname -r, and ulimit -l in the container",
        "NCCL WARN Call to ibv_reg_mr failed with error Cannot allocate memory",
    ),
    "nccl-socket-mismatch": cause(
        r"socketFinalizeAccept: wrong (?:type|magic) (?P<said>.{0,60})|wrong magic number|"
        r"unexpected (?:magic|handshake)",
        "something connected to NCCL's socket that does not belong to it: {said}",
        "a rank of an earlier start, another version of NCCL, or ranks that chose different networks (RDMA "
        "here, sockets there)",
        "end what is left of earlier starts; one image on all nodes; the same NCCL_IB_HCA and "
        "NCCL_SOCKET_IFNAME: fabric test",
        "misc/socket.cc:441 NCCL WARN socketFinalizeAccept: wrong type 4 != 3",
    ),
    "nccl-no-peer-address": cause(
        r"connecting to address .{0,60}with family (?P<family>\d+) is neither|family 0 is neither|"
        r"invalid (?:peer )?address .{0,40}NCCL",
        "NCCL got no address of a peer",
        "the peer's interface has no address of the kind that is looked for, or the ranks chose different "
        "networks",
        "the same NCCL_SOCKET_IFNAME and NCCL_SOCKET_FAMILY on every node, an address on that interface: "
        "fabric test",
        "misc/socket.cc:880 NCCL WARN ncclSocketInit: connecting to address with family 0 is neither "
        "AF_INET(2) nor AF_INET6(10)",
    ),
    "nccl-memlock": cause(
        r"ibv_create_(?:qp|cq)\w{0,10} failed|Cannot allocate memory.{0,80}ibv_|"
        r"ibv_\w{1,40}.{0,80}Cannot allocate memory",
        "RDMA could not make its queues: it may not lock memory",
        "the container's memlock limit is too small (8192 kB is Docker's own)",
        "start it with --privileged, or --ulimit memlock=-1 --cap-add=IPC_LOCK",
        "NCCL WARN Call to ibv_create_qp failed with error Cannot allocate memory",
    ),
    "nccl-verbs-failed": cause(
        r"NCCL WARN .{0,80}Call to (?P<call>ibv_\w{1,40}) failed(?: with error)?(?P<said>.{0,80})|"
        r"non-zero status: (?P<status>\d+) (?P<call2>ibv_\w{1,40}) failed",
        "a call to the RDMA library failed: {call} {said}{status_means}",
        "the device, its driver or the container's right to it",
        "the container needs --privileged, or --device /dev/infiniband; sparkconsole fabric test; "
        "ibv_devinfo on the node",
        "NCCL WARN Call to ibv_open_device failed",
        numbers={"status": ERRNOS},
    ),
    "nccl-no-interface": cause(
        r"Bootstrap ?: no socket interface found|No interface found in the same subnet as|"
        r"NET/Socket ?: No usable .{0,400}interface|Failed to find .{0,400}NCCL_SOCKET_IFNAME",
        "NCCL finds no network interface of the name it was given",
        "NCCL_SOCKET_IFNAME names an interface that this node lacks, or that has no address there",
        "sparkconsole check shows each node's interface; cables may be in different cages on the nodes",
        "bootstrap.cc:114 NCCL WARN Bootstrap : no socket interface found",
    ),
    "gloo-no-address": cause(
        r"Unable to find address for: (?P<interface>\S+)|"
        r"makeDeviceFor(?:Interface|Hostname)\(\).{0,400}unsupported|"
        r"Unable to find interface for: ?(?P<other>\S*)",
        "the interface {interface} has no address on this node",
        "GLOO_SOCKET_IFNAME names it, but its cable is in another cage or its address is gone",
        "sparkconsole check shows each node's own; addresses that were added by hand are gone after a reboot",
        "RuntimeError: [enforce fail at device.cc:208] Unable to find address for: enp1s0f1np1",
    ),
    "gloo-loopback": cause(
        r"gloo/transport/.{0,200}connect \[(?P<address>127\.[\d.]+|::1)\]\S{0,10}: .{0,60}|"
        r"Gloo connectFullMesh failed .{0,300}remote=\[(?P<address2>127\.[\d.]+|::1)\]",
        "a rank gave the others an address that is only its own: {address}",
        "its host name stands for 127.0.0.1 or 127.0.1.1 in /etc/hosts",
        "GLOO_SOCKET_IFNAME and VLLM_HOST_IP of the shared network (sparkconsole launch sets both); or mend "
        "/etc/hosts",
        "RuntimeError: [/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:761] connect [127.0.1.1]:60817: "
        "Connection refused",
    ),
    "nccl-versions-differ": cause(
        r"Mismatched NCCL version detected ?: ?(?P<versions>.{0,400})",
        "the nodes run different builds of NCCL: {versions}",
        "their images differ",
        "copy one image to all: sparkconsole image copy",
        "NCCL WARN Mismatched NCCL version detected : rank 0 version 22809 rank 1 version 22703",
    ),
    "nccl-rank-count": cause(
        r"mismatch in rank count(?P<said>.{0,80})",
        "NCCL's ranks do not agree on how many they are: {said}",
        "they were started with different numbers of nodes, or a rank of an earlier start still runs",
        "end what is left of earlier starts: sparkconsole stop; the same -tp, -pp and --nodes on every node",
        "bootstrap.cc:114 NCCL WARN Bootstrap Root : mismatch in rank count from procs 2 : 4",
    ),
    "nccl-mixed-devices": cause(
        r"Detected mixed local Net device counts across ranks \((?P<counts>[^)]{0,200})\)",
        "the ranks see different numbers of RDMA devices: {counts}",
        "one node has one half of its cable up, or its container sees only one device",
        "sparkconsole doctor link; the same NCCL_IB_HCA count on every node",
        "NCCL WARN Detected mixed local Net device counts across ranks (min 1, max 2)",
    ),
    "nccl-async-fatal": cause(
        r"NET/IB.{0,400}(?:async fatal event|Got async event ?: ?(?:port error|device fatal))|"
        r"IBV_EVENT_(?:PORT_ERR|DEVICE_FATAL)",
        "an RDMA port went down while NCCL used it",
        "the cable moved, the switch or the peer went away",
        "sparkconsole status shows the links; restart the containers once it is up: sparkconsole node "
        "restart",
        "NCCL WARN NET/IB : rocep1s0f1:1 Got async fatal event: port error",
    ),
    "nccl-cuda": cause(
        r"(?:NCCL WARN |^)Cuda failure (?:\d+ )?'(?P<said>out of memory)'",
        "CUDA failed inside NCCL: {said}",
        "the unified memory is used up",
        "lower --gpu-memory-utilization",
        "init.cc:449 NCCL WARN Cuda failure 2 'out of memory'",
    ),
    "nccl-cuda-call": cause(
        r"(?:NCCL WARN |^)Cuda failure (?:(?P<code>\d+) )?'(?P<said>(?!out of memory)[^']*)'",
        "a CUDA call failed inside NCCL: {said}, {code_means}",
        "the number and its name are CUDA's own: the driver, the image's CUDA, or the program's mistake",
        "sparkconsole doctor driver; NCCL_DEBUG=INFO shows which call it was",
        "init.cc:449 NCCL WARN Cuda failure 3 'initialization error'",
        numbers={"code": CUDA_ERRORS},
    ),
    "nccl-duplicate-gpu": cause(
        r"Duplicate GPU detected ?: ?(?P<ranks>.{0,400})",
        "two ranks use one GPU: {ranks}",
        "a Spark has one GPU, so each rank needs a node of its own",
        "-tp times -pp must be the number of nodes: sparkconsole status shows Ray's members",
        "NCCL WARN Duplicate GPU detected : rank 0 and rank 1 both on CUDA device f000",
    ),
    "nccl-no-route": cause(
        r"NCCL WARN .{0,80}(?:[Cc]onnect to|socketStartConnect: Connect to) (?P<peer>[\d.]+)?.{0,80}"
        r"(?:failed|returned).{0,40}(?:No route to host|Connection timed out|Network is unreachable)|"
        r"socketPollConnect:? .{0,80}(?:No route to host|Connection timed out|Network is unreachable)|"
        r"socketPollConnect:? .{0,80}refused.{0,40}(?:exceeded|giving up|too many)|"
        r"NCCL WARN .{0,120}exceeded timeout .{0,60}trying to connect to (?P<peer2>[\d.]+)",
        "NCCL cannot reach {peer} over TCP",
        "that address is not reachable from here: another subnet, a firewall, or a cable that is out",
        "sparkconsole fabric test",
        "NCCL WARN socketStartConnect: Connect to 10.0.0.2<51234> failed : No route to host",
    ),
    "nccl-shm-small": cause(
        r"NCCL WARN .{0,200}(?:posix_fallocate|shmOpen|/dev/shm/nccl).{0,200}(?:No space left|failed)|"
        r"Error while creating shared memory segment|out of shared memory",
        "the container's shared memory is full",
        "Docker gives 64 MB unless told otherwise",
        "start it with --ipc host, or --shm-size 10g",
        "misc/shmutils.cc:72 NCCL WARN Error: failed to extend /dev/shm/nccl-Gs3D to 9637892 bytes, No space "
        "left on device",
    ),
    "nccl-rails-collapsed": warning(
        r"Subnet-aware routing: overriding dev (?P<from>\d+) with dev (?P<to>\d+)",
        "of the listed RDMA devices not all are used: {from} is replaced by {to}",
        "the ring's neighbour is not in that device's subnet",
        "list only devices of links that the ranks share, or give every link its own subnet on both ends",
        "NCCL INFO NET/IB: Subnet-aware routing: overriding dev 2 with dev 0",
    ),
    "nccl-address-changed": warning(
        r"NET/IB.{0,400}(?:GID table change|Got non-fatal async event)",
        "an RDMA port's addresses changed, or its link flapped, while NCCL used it",
        "NetworkManager renewed an address, or the link went down for a moment",
        "static addresses in netplan; sparkconsole doctor address",
        "NCCL WARN NET/IB : rocep1s0f1:1 Got non-fatal async event: GID table change",
    ),
    "nccl-proxy-failed": end(
        r"Error encountered progressing operation=(?P<operation>\w+), res=(?P<result>\d+)",
        "NCCL could not go on with {operation} to a peer: {result_means}",
        "its service thread closed the connection; a line before it, here or at the peer, may say more",
        "sparkconsole fabric test; NCCL_DEBUG=INFO on every node: serve with nccl log",
        "proxy.cc:1716 NCCL WARN [Service thread] Error encountered progressing operation=Connect, res=3, "
        "closing connection",
        numbers={"result": NCCL_RESULTS},
    ),
    "gloo-silent": end(
        r"gloo/transport/.{0,200}(?:Timed out waiting|[Rr]ead timeout|[Cc]onnect timeout|timed out)|"
        r"Timed out waiting \d+ms for (?:send|recv) operation",
        "a rank did not answer in time (Gloo)",
        "it is lost, hangs, or still loads or compiles while this one waits",
        "the logs of the other nodes at the same time: sparkconsole logs; sparkconsole fabric test",
        "RuntimeError: [/pytorch/third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting "
        "1800000ms for recv operation to complete",
    ),
    "nccl-peer-gone": consequence(
        r"(?:Connection (?:reset|closed|refused|aborted) by (?:remote )?peer|socketProgress: Connection "
        r"closed|Broken pipe|ncclRemoteError|remote process exited or there was a network error|NCCL WARN "
        r".{0,400}(?:[Cc]onnection closed by|Connection refused))",
        "the connection to another rank broke",
        "a rank that is well says this when another one is gone",
        "RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection reset by peer",
    ),
    "nccl-watchdog-ends": consequence(
        r"failure detected by watchdog|Stack trace of the failed collective|"
        r"Exception raised from checkTimeout|Some NCCL operations have failed or timed out|"
        r"To avoid data inconsistency|[Ww]atchdog thread terminated|terminate called .{0,40}DistBackendError|"
        r"what\(\): .{0,200}[Ww]atchdog|ProcessGroupNCCL.{0,400}(?:HeartbeatMonitor|heartbeat)|"
        r"Heartbeat monitor timed out|Received a dump signal|"
        r"Failed to check the \"should dump\" flag on TCPStore|recvValue failed|sendBytes failed",
        "PyTorch's watchdog over NCCL ended the process",
        "it does so when a collective did not end, or when the rank that leads is gone",
        "ProcessGroupNCCL's watchdog: To avoid data inconsistency, we are taking the entire process down.",
    ),
    "nccl-watchdog": end(
        r"(?:\b[Rr]ank (?P<rank>\d+)\] )?[Ww]atchdog caught collective operation timeout(?:.{0,40}?"
        r"(?P<seq>SeqNum=\d+))?(?:.{0,40}?OpType=(?P<op>\w+))?|"
        r"(?:OpType=(?P<op2>\w{1,40}).{0,300})?ran for \d+ milliseconds before timing out",
        "a collective did not end in time: {op} {seq}",
        "this rank waited; the rank that says nothing, or something else before, is the suspect",
        "compare the ranks: the one that did not come to the same operation and number; sparkconsole status, "
        "fabric test, logs of every node",
        "[Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=91, OpType=ALLREDUCE)",
    ),
    "nccl-error": consequence(
        r"(?:DistBackendError: NCCL error|NCCL (?:error|failure)[ :]).{0,200}?(?P<said>unhandled (?:system|"
        r"cuda) error|invalid usage|internal error|remote process exited)|DistBackendError: NCCL error|"
        r"NCCL (?:error|failure)[ :]|ncclUnhandledCudaError|ncclSystemError|ncclInternalError|"
        r"ncclInvalidUsage|\bunhandled (?P<said2>system|cuda) error",
        "an NCCL call failed: {said}",
        "NCCL said the reason in a WARN line before",
        "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3135, invalid usage",
    ),
    "rdma-no-device": cause(
        r"Failed to get IB devices list|[Uu]nable to find the Infiniband/RoCE device|No IB devices found|"
        r"(?:IB|RDMA) device .{0,60}not found",
        "no RDMA device can be seen",
        "the container was started without /dev/infiniband, or the cable is out: without it a Spark hides "
        "the NIC",
        "--privileged or --device /dev/infiniband; plug the cable in; sparkconsole doctor link",
        " Unable to find the Infiniband/RoCE device",
    ),
    "ucx-failed": end(
        r"UCX +ERROR (?P<said>.{1,200})|Unexpected UCX error: (?P<said2>.{1,120})|\b(?P<said3>NIXL_ERR_\w+)",
        "a transfer between servers failed (UCX, NIXL): {said}",
        "the other end ended, or the network between does not carry it",
        "the other end's log; UCX_NET_DEVICES must name the shared network; sparkconsole fabric test",
        "W0613 08:28:11.555796    7053 ucx_utils.cpp:43] Unexpected UCX error: Endpoint timeout",
    ),
    "nccl-warned": end(
        r"NCCL WARN (?P<said>.{1,300})",
        "NCCL reported an error that it cannot recover from: {said}",
        "the words are NCCL's own",
        "NCCL_DEBUG=INFO on every node; sparkconsole fabric test; one image on all nodes",
        "graph/rings.cc:45 NCCL WARN Error : ring 0 does not contain rank 1",
    ),
    "elastic-child": consequence(
        r"ChildFailedError|exitcode: -?\d+\) local_rank",
        "a process of the group failed",
        "torchrun's summary; the process said the reason itself",
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError:",
    ),
    "dlvsym": harmless(
        r"dlvsym failed on|dlopen.{0,400}libmlx5dv|undefined symbol: mlx5dv",
        "an older libmlx5 lacks calls that a Spark does not use",
        "NCCL INFO dlvsym failed on mlx5dv_reg_dmabuf_mr - undefined symbol: mlx5dv_reg_dmabuf_mr",
    ),
    "nccl-no-plugin": harmless(
        r"(?:NET|TUNER|PROFILER|ENV|GIN)/Plugin: (?:Could not find|Plugin load|Failed to find|No plugin)|"
        r"Failed to open libnccl-net|libnccl-(?:net|tuner|profiler|env)\S{0,80}\.so|"
        r"NVLS? multicast support is not available",
        "plugins are for other networks",
        "NCCL INFO NET/Plugin: Could not find: libnccl-net.so",
    ),
    "nccl-gdr": harmless(
        r"GPU Direct RDMA (?:Disabled|\(DMABUF\) enabled)|GDR 0|GDRCOPY|nv_peer_mem|"
        r"DMA-BUF is (?:not )?available",
        "GB10 shares its memory: there is nothing for GPUDirect to do",
        "NCCL INFO NET/IB : GPU Direct RDMA Disabled for HCA 0 'rocep1s0f1'",
    ),
    "nccl-spcx": harmless(
        r"Spectrum-X \(SPCX\) NCCL plugin is not supported|Affinity for GPU \d+ is empty|NCCL_NVLS_ENABLE|"
        r"destroy_process_group\(\) was not called",
        "said on every Spark",
        "init.cc:449 NCCL WARN Spectrum-X (SPCX) NCCL plugin is not supported on device:0, skipping ..",
    ),
}
