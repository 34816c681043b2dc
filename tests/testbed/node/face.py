"""The RDMA face of a node: a ConnectX-7's four functions under /sys/class/infiniband, true to the interfaces.

Run as `face.py INDEX` inside a node: returns once the tree stands; a child of it then follows the kernel's
word on links and addresses, and the interfaces' counters.
"""

import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

TREE = Path("/run/fakesys/class/infiniband")
PCI = Path("/run/fakesys/pci")
NET = Path("/sys/class/net")
SCRATCH = Path("/run/fakesys/scratch")
FUNCTIONS = (
    # device, interface, PCI function, what is added to the machine's GUID
    ("rocep1s0f0", "enp1s0f0np0", "0000:01:00.0", 0),
    ("rocep1s0f1", "enp1s0f1np1", "0000:01:00.1", 1),
    ("roceP2p1s0f0", "enP2p1s0f0np0", "0002:01:00.0", 4),
    ("roceP2p1s0f1", "enP2p1s0f1np1", "0002:01:00.1", 5),
)
SLOTS = 8
EMPTY_GID = ":".join(["0000"] * 8)
COUNTERS_EVERY_S = 0.25
RTMGRP_LINK, RTMGRP_IPV4_IFADDR = 0x1, 0x10


def say(path, text):
    """Writes a file at one stroke: a reader sees the old word or the new one, never half of it."""
    SCRATCH.write_text(f"{text}\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(SCRATCH, path)


def look(path, otherwise=""):
    """What a file of the kernel's says."""
    try:
        return path.read_text().strip()
    except OSError:  # an interface without a link has no carrier to read
        return otherwise


def build(index):
    """What does not change while the node is up."""
    for device, interface, pci, offset in FUNCTIONS:
        root, card = TREE / device, PCI / pci
        (card / "net" / interface).mkdir(parents=True, exist_ok=True)
        words = {"vendor": "0x15b3", "device": "0x1021", "uevent": f"DRIVER=mlx5_core\nPCI_SLOT_NAME={pci}"}
        for name, text in words.items():
            say(card / name, text)
        root.mkdir(parents=True, exist_ok=True)
        (root / "device").symlink_to(card)
        guid = f"4cbb:4703:{index:04x}"
        for name, text in {
            "node_guid": f"{guid}:{0x9112 + offset:04x}", "sys_image_guid": f"{guid}:9112",
            "hca_type": "MT4129", "fw_ver": "28.45.4028", "board_id": "NVD0000000087",
            "node_type": "1: CA", "node_desc": device,
            "ports/1/link_layer": "Ethernet", "ports/1/rate": "200 Gb/sec (2X NDR)",
            "ports/1/counters/link_downed": "0", "ports/1/counters/symbol_error": "0",
            "ports/1/hw_counters/np_cnp_sent": "0", "ports/1/hw_counters/out_of_sequence": "0",
        }.items():  # fmt: skip
            say(root / name, text)


def link_local(interface):
    """The address that the card derives from its hardware address; it has it without any cable."""
    octets = [int(part, 16) for part in look(NET / interface / "address", "00:00:00:00:00:00").split(":")]
    octets = [octets[0] ^ 2, octets[1], octets[2], 0xFF, 0xFE, *octets[3:]]
    pairs = zip(octets[::2], octets[1::2], strict=True)
    return "fe80:0000:0000:0000:" + ":".join(f"{a:02x}{b:02x}" for a, b in pairs)


def mapped(address):
    """An IPv4 address as a GID."""
    a, b, c, d = (int(part) for part in address.split("."))
    return f"0000:0000:0000:0000:0000:ffff:{a:02x}{b:02x}:{c:02x}{d:02x}"


def addresses():
    """Every interface's IPv4 addresses, in the kernel's order."""
    words = ("ip", "-j", "-4", "addr")
    shown = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    links = json.loads(shown.stdout or "[]")
    return {link["ifname"]: [a["local"] for a in link.get("addr_info", [])] for link in links if link}


def follow_links():
    """Port states, and the GID table: each address twice, as RoCE v1 and as v2."""
    known = addresses()
    for device, interface, _, _ in FUNCTIONS:
        port = TREE / device / "ports" / "1"
        up = look(NET / interface / "carrier") == "1"
        say(port / "state", "4: ACTIVE" if up else "1: DOWN")
        say(port / "phys_state", "5: LinkUp" if up else "3: Disabled")
        gids = [link_local(interface), *(mapped(address) for address in known.get(interface, []))]
        for slot in range(SLOTS):
            fill_slot(port, slot, gids[slot // 2] if slot // 2 < len(gids) else EMPTY_GID, interface)


def fill_slot(port, slot, gid, interface):
    """An empty slot says zeros, and nothing of its kind, as the driver's."""
    say(port / "gids" / str(slot), gid)
    kinds = {"types": "RoCE v2" if slot % 2 else "IB/RoCE v1", "ndevs": interface}
    for name, text in kinds.items():
        path = port / "gid_attrs" / name / str(slot)
        if gid == EMPTY_GID:
            path.unlink(missing_ok=True)
        else:
            say(path, text)


def follow_counters(last):
    """Traffic of the interface, in words of four bytes as the driver counts; returns what was written."""
    now = {}
    for device, interface, _, _ in FUNCTIONS:
        for name, counter in (("tx_bytes", "port_xmit_data"), ("rx_bytes", "port_rcv_data")):
            words = int(look(NET / interface / "statistics" / name, "0")) // 4
            path = TREE / device / "ports" / "1" / "counters" / counter
            now[path] = words
            if last.get(path) != words:
                say(path, str(words))
    return now


def follow(news, last):
    """For as long as the node is up."""
    while True:
        if select.select((news,), (), (), COUNTERS_EVERY_S)[0]:
            news.recv(65536)
            follow_links()
        last = follow_counters(last)


def main():
    """Builds, then leaves a child that follows."""
    news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    news.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR))
    build(int(sys.argv[1]))
    follow_links()
    last = follow_counters({})
    if os.fork() == 0:
        os.setsid()
        follow(news, last)


if __name__ == "__main__":
    main()
