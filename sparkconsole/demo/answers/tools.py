"""What a pretend Spark's commands answer: the console's scripts, by name, and its few docker words."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Collection

from sparkconsole.demo.answers.deep_probe import as_root, contents, deep_probe_sections, proved
from sparkconsole.demo.answers.sampled import GPU_TROUBLE, free_bytes, gpu, memory_look
from sparkconsole.demo.spark import fabric, life, servers, storage
from sparkconsole.demo.spark.engine import container_log
from sparkconsole.demo.spark.jobs import start
from sparkconsole.demo.spark.machine import NO_STATUS, Machine, meminfo
from sparkconsole.demo.spark.models import cache_listing, headers, holding
from sparkconsole.demo.spark.storage import Reply
from sparkconsole.demo.stories import IMAGE_BYTES, LAYER_BYTES

Answer = Callable[[Machine, tuple[str, ...]], Reply]
OK: Reply = (0, "", "")
_THROUGH_DOCKER = ("last-lines", "log", "remove", "gone", "builder")
"""Scripts that do nothing but ask the engine."""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEMODEMODEMODEMODEMODEMODEMODEMODEMODEMO"


def answer(machine: Machine, argv: tuple[str, ...]) -> Reply:
    """Status, output and errors of a command; 127 for one that a pretend machine does not have."""
    if "garbage" in machine.faults and argv != ("true",):
        return 0, "\x1b[2J[/x]\x00 segfault at 0xDEAD\r\n", ""
    if argv[:2] == ("sh", "-s"):
        return 0, facts(machine, argv[2], argv[3].split()), ""
    if "gate-look" in argv:
        return 0, fabric.look(machine, argv), ""
    if argv[:2] == ("sh", "-c") and len(argv) > 3 and argv[3] in _SCRIPTS:
        return _SCRIPTS[argv[3]](machine, argv[4:])
    if argv[0] == "docker" and len(argv) > 1 and argv[1] in _DOCKER:
        return _DOCKER[argv[1]](machine, argv)
    return _OTHER.get(argv[0], _no_such)(machine, argv)


def waits_for_docker(machine: Machine, argv: tuple[str, ...]) -> bool:
    """The command asks an engine that answers nobody."""
    asks = argv[0] == "docker" or (len(argv) > 3 and argv[3] in _THROUGH_DOCKER)
    return asks and "docker-silent" in machine.faults


def facts(machine: Machine, mark: str, asked: Collection[str]) -> str:
    """The sections of one look at a machine (remote.node.facts), as far as it was asked."""
    free, silent = free_bytes(machine), "gpu-silent" in machine.faults
    engine = "" if "docker-silent" in machine.faults else "info 29.2.1|overlay2|/var/lib/docker\n"
    sections = {
        "host": f"{machine.name}\n6.11.0-1016-nvidia\naarch64\nspark\n{machine.home}\n"
        f"{machine.clock.now().timestamp()}\nspark docker\n",
        "release": 'DGX_PRETTY_NAME="NVIDIA DGX Spark"\nDGX_SWBUILD_VERSION="7.3.1"\n',
        "ibdev2netdev": "".join(
            f"{d} port 1 ==> {n} ({'Up' if up else 'Down'})\n" for d, n, up in _ports(machine)
        ),
        "rdma": _rdma(machine),
        "ip": json.dumps(_interfaces(machine)),
        "gpu": _nvidia_smi(machine),
        "gpuapps": "4242, VLLM::Worker_TP0, 89093\n" if machine.serving() and not silent else "",
        "memory": meminfo(machine),
        "docker": f"installed\nsocket\npermitted\n{engine}",
        "disk": f"docker {free}\nhome {free}\n",
        "cache": "spark\n",
        "listen": "".join(f"{port:04X}\n" for port in sorted(machine.listening())),
        **deep_probe_sections(machine),
        "end": "",
    }
    answered = {name: text for name, text in sections.items() if _PARTS.get(name, name) in {*asked, *_ALWAYS}}
    return "".join(f"\n{mark} {name}\n{text}" for name, text in answered.items())


_ALWAYS = ("host", "release", "memory", "listen", "end")
_PARTS = {"ibdev2netdev": "fabric", "rdma": "fabric", "ip": "fabric", "gpuapps": "gpu", "thorough": "deep"}
"""What has to be asked for, by section; the others are asked for by their own names."""


def _nvidia_smi(machine: Machine) -> str:
    """Its query as CSV, and its exit status."""
    if "gpu-silent" in machine.faults:
        return "status 124\n"
    if "gpu-gone" in machine.faults:
        return f"{GPU_TROUBLE['gpu-gone']}\nstatus 9\n"
    seen = gpu(machine, life.heat_c(machine.number, machine.spells, machine.clock.monotonic()))
    values = (seen[key] for key in ("name", "uuid", "util", "power", "temp", "clock", "driver"))
    return f"{', '.join(map(str, values))}\nstatus 0\n"


def _ports(machine: Machine) -> list[tuple[str, str, bool]]:
    first, second = machine.links()
    return [
        ("rocep1s0f0", "enp1s0f0np0", False),
        ("rocep1s0f1", "enp1s0f1np1", first),
        ("roceP2p1s0f0", "enP2p1s0f0np0", False),
        ("roceP2p1s0f1", "enP2p1s0f1np1", second),
    ]


def _rdma(machine: Machine) -> str:
    mapped = f"0000:0000:0000:0000:0000:ffff:c0a8:b1{10 + machine.number:02x}"
    lines = []
    for device, netdev, up in _ports(machine):
        lines += [f"port {device} 1 {netdev} 4cbb:47{machine.number:02x}:0000:0000"]
        lines += [f"state {'4: ACTIVE' if up else '1: DOWN'}", "rate 200 Gb/sec (2X NDR)"]
        lines += [f"gid 3 {mapped} RoCE v2"] if up else []
    return "\n".join(lines) + "\n"


def _interfaces(machine: Machine) -> list[dict[str, object]]:
    addresses = dict(zip(("enp1s0f1np1", "enP2p1s0f1np1", "enP7s7"), machine.addresses, strict=True))
    return [
        {
            "ifname": name,
            "mtu": 1500 if name == "enP7s7" or "mtu" in machine.faults else 9000,
            "flags": ["UP", "NO-CARRIER" if name == "enp1s0f1np1" and not machine.links()[0] else "LOWER_UP"],
            "addr_info": [{"family": "inet", "local": address, "prefixlen": 24}],
        }
        for name, address in addresses.items()
    ]


# --- scripts, by the name they carry


def _site(machine: Machine, args: tuple[str, ...]) -> Reply:
    lines = [f"home {machine.home}", f"available {machine.available()}"]
    lines += [f"listen {port:04X}" for port in sorted(machine.listening())]
    found = machine.containers.get(args[0])
    if "docker-silent" in machine.faults:
        return 0, "\n".join([*lines, "docker 124\n"]), ""
    lines += [f"pid {found.pid}"] if found and found.running else []
    missing = f"docker 1\nError: No such container: {args[0]}"
    text = f"docker 0\n{json.dumps([found.as_json()])}" if found else missing
    return 0, "\n".join([*lines, text, ""]), ""


def _still_alive(machine: Machine, args: tuple[str, ...]) -> Reply:
    pids = {str(c.pid) for c in machine.running()}
    return 0, "".join(f"{p}\n" for p in args if p in pids), ""


def _log(machine: Machine, args: tuple[str, ...]) -> Reply:
    found = machine.containers.get(args[0])
    return (0, container_log(found), "") if found else (1, "", "No such container")


def _received(machine: Machine, args: tuple[str, ...]) -> Reply:
    return 0, f"{machine.received.get((args[0], args[1]), '')}\n", ""


def _job_state(machine: Machine, args: tuple[str, ...]) -> Reply:
    job = machine.look(args[0])
    if job is None:
        return 0, "unknown\n", ""
    running = "running" if job.status is None else "ended"
    status = "-" if job.status in (None, NO_STATUS) else job.status
    return 0, f"{running} {status} {len(machine.log(job))}\n", ""


def _job_read(machine: Machine, args: tuple[str, ...]) -> Reply:
    job = machine.look(args[0])
    if job and args[1] == "log":
        return 0, machine.log(job).decode(), ""
    return 1, "", f"{args[1]}: no such file"


def _copy_site(machine: Machine, _: tuple[str, ...]) -> Reply:
    where = f"login spark\naddress {machine.addresses[2]}\nport 22\n"
    engine = "folder /var/lib/docker\ndriver overlay2\nversion 29.2.1\narchitecture aarch64\n"
    free = f"free {max(0, free_bytes(machine) - IMAGE_BYTES)}\nkey {KEY}\n"
    return 0, f"{where}{engine}python /usr/bin/python3\n{free}", ""


def _reboot(machine: Machine, _: tuple[str, ...]) -> Reply:
    """The connection goes before the command's end is seen."""
    machine.reboot()
    return None, "", ""


def _fast_addresses(machine: Machine) -> str:
    """As `ip -o -4 addr show` of the interfaces with RDMA."""
    named = zip(("enp1s0f1np1", "enP2p1s0f1np1"), machine.addresses, strict=False)
    return "".join(f"3: {name}    inet {address}/24 scope global {name}\n" for name, address in named)


def _scanned(machine: Machine, argv: tuple[str, ...]) -> Reply:
    """As node_scan's program finds the machines of some subnets: those that are on."""
    subnets = [ipaddress.ip_network(word) for word in argv[4:]]
    found = [a for m in machine.cluster.values() if m.on for a in m.addresses]
    near = [a for a in found if any(ipaddress.ip_address(a) in subnet for subnet in subnets)]
    answers = ({"address": a, "banner": "SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13.14"} for a in near)
    return 0, "".join(f"{json.dumps(one)}\n" for one in answers), ""


def _program(machine: Machine, argv: tuple[str, ...]) -> Reply:
    """A program over standard input, told by the word behind the dash; else the scan's."""
    if argv[2:4] == ("model", "look"):
        return 0, holding(machine.models, argv[4], machine.home, free_bytes(machine)), ""
    if argv[2:4] == ("model", "list"):
        return 0, cache_listing(machine.models), ""
    if argv[2:4] == ("model", "headers"):
        return 0, headers(machine.models, argv[4], meminfo(machine)), ""
    return _scanned(machine, argv)


def _does(change: Callable[[Machine, tuple[str, ...]], object]) -> Answer:
    def answered(machine: Machine, args: tuple[str, ...]) -> Reply:
        change(machine, args)
        return OK

    return answered


def _says(text: str) -> Answer:
    return lambda _machine, _args: (0, text, "")


_IDENTITY = "--gpus\nNVIDIA GB10\n--product\nNVIDIA DGX Spark\n"
_SCRIPTS: dict[str, Answer] = {
    "launch-site": _site,
    "hf-cache": lambda machine, _: (0, f"home {machine.home}\n", ""),
    "memory-standing": lambda machine, args: (0, memory_look(machine, args[0] if args else ""), ""),
    "still-alive": _still_alive,
    "last-lines": _log,
    "log": _log,
    "folders": _does(lambda machine, args: machine.folders.update(args)),
    "made": lambda machine, args: (
        OK if machine.folders.issuperset(args) else (1, "", "there is no such folder")
    ),
    "remove": _does(lambda machine, args: machine.remove(args[0])),
    "gone": lambda machine, args: (1, "", "it is still there") if args[0] in machine.containers else OK,
    "job-holds": _received,
    "job-unpacked": _received,
    "job-start": lambda machine, args: (
        OK if start(machine, args[0], args[2:]) else (17, "", "a job of that name is there already")
    ),
    "job-state": _job_state,
    "job-cancel": _does(lambda machine, args: machine.cancel(args[0])),
    "job-forget": _does(lambda machine, args: machine.jobs.pop(args[0], None)),
    "job-read": _job_read,
    **dict.fromkeys(("job-put", "job-unpack", "may-reboot"), _says("")),
    "copy-site": _copy_site,
    "sweep": _says("0 0 0 0 0\n"),
    "meters": _says("ib_write_bw\n"),
    "builder": _says("buildx docker\n"),
    "docker-why": _says("spark\n"),
    "docker-free": lambda machine, _: (0, f"{free_bytes(machine)}\n", ""),
    "life": lambda machine, _: (0, f"boot-{machine.number}-{machine.boots}\n", ""),
    "reboot": _reboot,
    "fabric": lambda machine, _: (0, _fast_addresses(machine), ""),
    "identity": lambda machine, _: (0, f"{machine.name}\n{_IDENTITY}", ""),
}


def _no_such(_: Machine, argv: tuple[str, ...]) -> Reply:
    return 127, "", f"{argv[0]}: a pretend machine has no such command"


_OTHER: dict[str, Answer] = {
    "true": _says(""),
    "uname": lambda machine, _: (0, f"{machine.name} aarch64\n", ""),
    "python3": _program,
    "sudo": as_root,
    "grep": proved,
}


# --- docker


def _run(machine: Machine, argv: tuple[str, ...]) -> Reply:
    if "image-contents" in argv:
        return 0, contents(), ""
    return machine.run(argv) if "-d" in argv else (0, "/usr/local/bin/ray\n", "")


def _exec(machine: Machine, argv: tuple[str, ...]) -> Reply:
    container = next((w for w in argv[2:] if w in machine.containers), None)
    if container is None:
        return 1, "", "Error: No such container"
    if not machine.containers[container].running:
        return 1, "", f"Error response from daemon: container {container} is not running"
    inside = argv[argv.index(container) + 1 :]
    if "serve-look" in inside:
        return 0, servers.servers(machine, container), ""
    if "serve-gone" in inside:
        return servers.gone(machine, container, inside[inside.index("serve-gone") + 1 :])
    if "serve-stop" in inside:
        servers.stop(machine, container, inside[inside.index("serve-stop") + 1 :])
    return OK if inside[0] in ("sh", "test", "pkill") else (0, spoken(machine, inside), "")


def spoken(machine: Machine, argv: tuple[str, ...]) -> str:
    """What a command in a container prints here: nothing is really run, and it says so."""
    return f"DEMO {machine.name}: {' '.join(argv)}\n"


_DOCKER: dict[str, Answer] = {
    "run": _run,
    "inspect": lambda machine, argv: (
        (0, f"{found.running}\n".lower(), "")
        if (found := machine.containers.get(argv[-1]))
        else (1, "", "No such object")
    ),
    "exec": _exec,
    "create": _says("0123456789ab\n"),
    "history": _says("".join(f"{size}\n" for size in reversed(LAYER_BYTES))),
    "rm": _does(lambda machine, argv: machine.remove(argv[-1])),
    "tag": storage.tag,
    "rmi": storage.remove_image,
    "image": storage.image,
    "builder": storage.prune_cache,
}
