"""The lines of the node page's panels."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from sparkconsole.fleet.store import NodeState
from sparkconsole.model.docker import Container, ImageIdentity
from sparkconsole.model.fabric.links import Hca, Netdev
from sparkconsole.model.facts import Memory
from sparkconsole.model.telemetry import LinkTraffic, Reading
from sparkconsole.model.text.units import UNKNOWN, age, binary_size, gib, gigabyte_rate, percent, used_of
from sparkconsole.tui.draw import node_state as of
from sparkconsole.tui.draw.bars import fitted
from sparkconsole.tui.draw.frame import fitting, joined, joined_cells, plain, styled
from sparkconsole.tui.draw.node_state import DrawContext

LABEL = 6
NOT_SEEN = "not read yet"


def labelled(label: str, *values: Text | str) -> Text:
    """`host   192.168.177.12  ssh …`"""
    return joined_cells((Text(label.ljust(LABEL), "$muted"), joined(values)), 1)


def overview(state: NodeState, context: DrawContext) -> list[Text]:
    """Host, load, GPU, memory, disk, Ray, image, container."""
    image, hostname = of.image_word(state, context), state.look.facts.hostname if state.look else ""
    now, memory = of.now(state), of.now(state).memory
    free = state.look.facts.free.get("docker") if state.look and now.disk_free is None else now.disk_free
    held, load = used_of(memory.used, memory.total) if memory else UNKNOWN, of.number("load {:.1f}", now.load)
    cached = Text(f"cache {gib(now.cached)} GiB" if now.cached is not None else "", "$muted")
    return [
        labelled("host", styled(state.address), styled(hostname if hostname != state.name else "", "$muted")),
        labelled("up", age(now.uptime_s), load, of.number("cpu {:.0f} %", now.cpu)),
        labelled("gpu", *_gpu(state)),
        labelled("mem", held, of.number("waits {:.1f} %", now.pressure)),
        labelled("swap", _swap(memory), cached, _waits(now)),
        labelled("disk", f"{binary_size(free)} free"),
        labelled("ray", of.ray_word(state), Text("head" if state.head else "", "$head-mark")),
        labelled("image", styled(context.image), Text(image, "$node-warn" if image == "none" else "")),
        labelled("cntr", of.container_word(state, context)),
    ]


def _gpu(state: NodeState) -> tuple[Text | str, ...]:
    gpu = of.gpu(state)
    if gpu is None:
        return (Text("none", "$muted"),)
    heat, power = of.number("{:.0f} °C", of.temperature(state)), of.number("{:.0f} W", gpu.power_w)
    clock, held = of.number("{:.0f} MHz", gpu.clock_mhz), ", ".join(of.held(state))
    return (
        percent(of.share(state)).strip(), heat, power, clock,
        Text(f"held by {held}" if held else "", "$node-warn"),
        styled(gpu.name.removeprefix("NVIDIA "), "$muted"),
    )  # fmt: skip


def _swap(memory: Memory | None) -> Text:
    if memory is None:
        return Text(UNKNOWN, "$muted")
    used = memory.swap_total - memory.swap_free
    text = f"{gib(used)}/{gib(memory.swap_total)} GiB" if memory.swap_total else "none"
    return Text(text, "" if used else "$muted")


def _waits(now: Reading) -> Text:
    """What waits for the disk and for a core, where that is much."""
    values = {"io": now.pressures.get("io full", 0.0), "cpu": now.pressures.get("cpu some", 0.0)}
    much = [f"{what} waits {value:.0f} %" for what, value in values.items() if value >= of.PRESSED]
    return Text("  ".join(much), "$node-warn")


# --- fabric


def fabric_lines(state: NodeState, context: DrawContext, width: int) -> list[Text]:
    """RDMA devices with twins together, those in use first; then the interfaces."""
    found = of.fabric(state)
    if state.look is None:
        return [Text(NOT_SEEN, "$muted")]
    used = of.rail_names(state, context)
    lines = [_device(h, corner, state, h.device in used, width) for h, corner in paired(found.hcas, used)]
    chosen = of.network(state, context)
    mine = chosen.eth_if if chosen else ""
    nets = sorted(found.netdevs, key=lambda n: (n.name != mine, not n.up, n.name))
    lines += [_interface(n, state, n.name == mine, width) for n in nets]
    return lines or [Text("no RDMA device and no interface found", "$node-warn")]


def paired(hcas: Sequence[Hca], used: Sequence[str]) -> list[tuple[Hca, str]]:
    """Devices of one cage after each other with `┌` and `└`; the cages in use first."""
    cages: dict[tuple[str, str], list[Hca]] = {}
    for hca in sorted(hcas, key=lambda h: ("P" in h.device, h.device)):
        cages.setdefault(hca.cage, []).append(hca)
    order = sorted(cages.values(), key=lambda cage: not any(h.device in used for h in cage))
    corners = [" " if len(cage) == 1 else f"┌{'│' * (len(cage) - 2)}└" for cage in order]
    return [pair for cage in zip(order, corners, strict=True) for pair in zip(*cage, strict=True)]


def _device(hca: Hca, corner: str, state: NodeState, used: bool, width: int) -> Text:
    last = of.now(state)
    flow, bus = last.rails.get(hca.device, LinkTraffic(hca.up)), last.buses.get(hca.device)
    up = flow.up if flow.up is not None else hca.up
    idle = not used and not up
    rates = f"{gigabyte_rate(flow.rx_per_s):>4} / {gigabyte_rate(flow.tx_per_s)}" if up else ""
    cells = (
        Text(corner, "$muted"),
        Text(fitted(plain(hca.device), 13), "" if used else "$muted"),
        Text("down", "$muted") if idle else of.link_word(up),
        Text(rates),
    )
    gid = f"gid {hca.gid_index}" if hca.gid_index is not None else ""
    errors = Text(f"{flow.errors} errors" if flow.errors else "", "$node-warn")
    more = (
        errors,
        *of.flow_marks(flow),
        Text(f"PCIe {bus}" if bus and bus.narrow else "", "$node-warn"),
        styled(hca.rate if up else hca.phys_state, "$muted"),
        Text(gid, "$muted"),
    )
    return fitting((joined_cells(cells, 1), *more), width)


def _interface(net: Netdev, state: NodeState, used: bool, width: int) -> Text:
    flow = of.now(state).nets.get(net.name, LinkTraffic())
    up = flow.up if flow.up is not None else net.up
    address = net.addresses[0].partition("/")[0] if net.addresses else ""
    speed = f"{net.speed_mbit / 1000:g}G" if net.speed_mbit and net.speed_mbit > 0 and up else ""
    name = Text(plain(net.name), "" if used else "$muted")
    first = joined_cells((Text("▸" if used else " ", "$key"), name), 1)
    lines = (
        styled(address, "" if used else "$muted"),
        of.link_word(up) if up is False or not address else Text(),
        Text(f"mtu {net.mtu}" if net.mtu else "", "$muted"),
        Text(speed, "$muted"),
        Text(f"{flow.errors} errors" if flow.errors else "", "$node-warn"),
    )
    return fitting((first, *lines), width)


# --- processes, containers, versions


def process_lines(state: NodeState) -> list[Text]:
    """Those that hold memory for the GPU, the largest first."""
    if state.reading is None:
        return [Text(UNKNOWN, "$muted")]
    if state.reading.gpu_error and not state.reading.gpus:
        return [styled(state.reading.gpu_error, "$node-warn")]
    held = sorted(state.reading.gpu_processes, key=lambda p: -(p.used or 0))
    names = [(p, styled(p.name.rpartition("/")[2] or p.name)) for p in held]
    lines = [joined((f"{gib(p.used):>6} GiB", Text(f"{p.pid:>7}", "$muted"), name)) for p, name in names]
    return lines or [Text("no process", "$muted")]


def container_lines(state: NodeState, context: DrawContext) -> list[Text]:
    """The cluster's own first, then those that run."""
    if state.containers is None:
        error = state.look.docker_error if state.look else None
        return [Text(plain(error.cause) if error else NOT_SEEN, "$muted")]
    order = sorted(state.containers, key=lambda c: (c.name != context.container, not c.running, c.name))
    return [_container(c, context) for c in order] or [Text("none", "$muted")]


def _container(found: Container, context: DrawContext) -> Text:
    glyph, style = ("▶", "$node-up") if found.running else ("○", "$node-none")
    since = age(of.seconds_since(found.started_at, context.wall)) if found.running else ""
    code = "" if found.running or found.exit_code is None else f"exit {found.exit_code}"
    killed = Text("out of memory" if found.oom_killed else "", "$node-lost")
    mine = "bold" if found.name == context.container else ""
    name = joined((Text(glyph, style), styled(found.name, mine)), " ")
    return joined((name, styled(f"{found.state} {since}"), code, killed, styled(found.image, "$muted")))


def version_lines(state: NodeState, context: DrawContext, width: int) -> list[Text]:
    """What is installed, then the images."""
    if state.look is None:
        return [Text(NOT_SEEN, "$muted")]
    facts, gpu = state.look.facts, of.gpu(state)
    driver = next((g.driver for g in facts.gpus if g.driver), gpu.driver if gpu else "")
    lines = [
        _version("", facts.release),
        _version("kernel", facts.kernel),
        _version("driver", driver),
        _version("docker", facts.docker.version),
        _version("user", facts.user),
        _version("clock", {True: "synchronised", False: "not synchronised", None: ""}[facts.clock_synced]),
    ]
    images = [_image(i, context) for i in state.images or () if i.tag]
    return [fitting(lines[:4], width), fitting(lines[4:], width), *images]


def _version(what: str, value: str) -> Text:
    return joined((Text(what, "$muted"), styled(value)), " ") if value else Text()


def _image(image: ImageIdentity, context: DrawContext) -> Text:
    mine = image.tag.partition(":")[0] == context.image.partition(":")[0]
    name = styled(image.tag, "bold" if mine else "")
    size, built = binary_size(image.size_bytes), of.built_age(image, context)
    return joined((Text("image", "$muted"), name, image.short[:6], built, size))
