"""Which links of a GB10 machine are used: any number of cables, any order of lines, names of its own."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.fabric.links import (
    Fabric,
    Gid,
    Hca,
    Netdev,
    NodeNetwork,
    choose_network,
    environment,
    interface_at,
    is_fabric_address,
)

PORTS = {
    "rocep1s0f0": "enp1s0f0np0",
    "rocep1s0f1": "enp1s0f1np1",
    "roceP2p1s0f0": "enP2p1s0f0np0",
    "roceP2p1s0f1": "enP2p1s0f1np1",
}
CAGE1 = ("rocep1s0f1", "roceP2p1s0f1")
GIDS = (
    Gid(0, "fe80:0000:0000:0000:4ebb:47ff:fe2f:9113", "IB/RoCE v1"),
    Gid(1, "fe80:0000:0000:0000:4ebb:47ff:fe2f:9113", "RoCE v2"),
    Gid(2, "0000:0000:0000:0000:0000:ffff:c0a8:b10b", "IB/RoCE v1"),
    Gid(3, "0000:0000:0000:0000:0000:ffff:c0a8:b10b", "RoCE v2"),
)


def machine(up: tuple[str, ...], addresses: dict[str, str], guid: str = "a") -> Fabric:
    """Four RDMA ports, of which `up` have a link, and the 10G interface."""
    hcas = tuple(
        Hca(d, n, up=d in up, image_guid=guid, gids=GIDS if d in up else ()) for d, n in PORTS.items()
    )
    netdevs = tuple(
        Netdev(n, (addresses[n],) if n in addresses else (), 9000, d in up) for d, n in PORTS.items()
    )
    return Fabric(hcas, (Netdev("enP7s7", ("10.0.0.5/24",), 1500, True), *netdevs))


HERE = machine(CAGE1, {"enp1s0f1np1": "192.168.177.11/24"})
THERE = machine(CAGE1, {"enp1s0f1np1": "192.168.177.12/24"}, "b")


def test_no_link_is_told_with_what_to_do() -> None:
    with pytest.raises(SparkError, match="no RDMA port has a link") as caught:
        choose_network(machine((), {"enp1s0f1np1": "192.168.177.11/24"}))
    assert "QSFP" in caught.value.hint


def test_a_machine_without_rdma_at_all() -> None:
    with pytest.raises(SparkError, match="no RDMA port"):
        choose_network(Fabric())


def test_one_half_up_is_used_and_warned_of() -> None:
    chosen = choose_network(machine(CAGE1[:1], {"enp1s0f1np1": "192.168.177.11/24"}), peers=(THERE,))
    assert chosen.hcas == ("rocep1s0f1",)
    assert any("half the bandwidth" in w for w in chosen.warnings)


def test_one_cable_is_two_devices_and_one_address() -> None:
    chosen = choose_network(HERE, peers=(THERE,))
    assert chosen == NodeNetwork("enp1s0f1np1", "192.168.177.11", CAGE1, 9000, 3, ())


def test_three_links_up_leave_out_what_reaches_nobody() -> None:
    fabric = machine(
        (*CAGE1, "rocep1s0f0"), {"enp1s0f1np1": "192.168.177.11/24", "enp1s0f0np0": "10.9.0.1/24"}
    )
    chosen = choose_network(fabric, peers=(THERE,))
    assert (chosen.eth_if, chosen.hcas) == ("enp1s0f1np1", CAGE1)
    assert any("rocep1s0f0" in w and "left out" in w for w in chosen.warnings)


def test_four_links_to_one_peer_are_all_used() -> None:
    mine = {"enp1s0f0np0": "10.9.0.1/24", "enp1s0f1np1": "10.9.1.1/24"}
    theirs = {"enp1s0f0np0": "10.9.0.2/24", "enp1s0f1np1": "10.9.1.2/24"}
    chosen = choose_network(machine(tuple(PORTS), mine), peers=(machine(tuple(PORTS), theirs, "b"),))
    assert set(chosen.hcas) == set(PORTS)
    assert chosen.eth_if == "enp1s0f0np0"
    assert chosen.warnings == ()


def test_a_second_cage_that_reaches_no_node_of_ours_is_left_out() -> None:
    mine = {"enp1s0f0np0": "10.9.0.1/24", "enp1s0f1np1": "192.168.177.11/24"}
    chosen = choose_network(machine(tuple(PORTS), mine), peers=(THERE,))
    assert (chosen.eth_if, chosen.hcas) == ("enp1s0f1np1", CAGE1)
    assert any("reaches no other node" in w for w in chosen.warnings)


def test_the_address_may_be_on_the_twin_with_the_capital() -> None:
    chosen = choose_network(machine(CAGE1, {"enP2p1s0f1np1": "192.168.177.11/24"}), peers=(THERE,))
    assert (chosen.eth_if, chosen.hcas) == ("enP2p1s0f1np1", CAGE1)


def test_the_twin_without_a_capital_comes_first() -> None:
    both = {"enP2p1s0f1np1": "192.168.178.11/24", "enp1s0f1np1": "192.168.177.11/24"}
    assert choose_network(machine(CAGE1, both)).eth_if == "enp1s0f1np1"


def test_twins_in_one_subnet_are_a_warning() -> None:
    both = {"enP2p1s0f1np1": "192.168.177.21/24", "enp1s0f1np1": "192.168.177.11/24"}
    chosen = choose_network(machine(CAGE1, both), peers=(THERE,))
    assert any("in one subnet" in w for w in chosen.warnings)


def test_no_address_on_any_twin_is_told() -> None:
    with pytest.raises(SparkError, match="no fast interface has an IPv4 address") as caught:
        choose_network(machine(CAGE1, {}))
    assert "netplan" in caught.value.hint


def test_link_local_is_the_last_choice_and_warned_of() -> None:
    link_local = machine(CAGE1, {"enp1s0f1np1": "169.254.35.62/16"})
    assert any("link-local" in w for w in choose_network(link_local).warnings)
    both = machine(CAGE1, {"enp1s0f1np1": "169.254.35.62/16", "enP2p1s0f1np1": "192.168.177.11/24"})
    assert choose_network(both).eth_if == "enP2p1s0f1np1"


def test_names_may_differ_from_node_to_node() -> None:
    other = Fabric(
        (Hca("mlx5_0", "ens3f0np0", up=True), Hca("mlx5_1", "ens3f1np1", up=False)),
        (Netdev("ens3f0np0", ("192.168.177.12/24",), 9000, True),),
    )
    assert choose_network(HERE, peers=(other,)).eth_if == "enp1s0f1np1"
    chosen = choose_network(other, peers=(HERE,))
    assert (chosen.eth_if, chosen.hcas) == ("ens3f0np0", ("mlx5_0",))


def test_the_order_of_lines_means_nothing() -> None:
    expected = choose_network(HERE, peers=(THERE,))
    for hcas in permutations(HERE.hcas):
        shuffled = replace(HERE, hcas=hcas, netdevs=HERE.netdevs[::-1])
        assert choose_network(shuffled, peers=(THERE,)) == expected


def test_what_a_person_says_wins() -> None:
    fabric = machine(tuple(PORTS), {"enp1s0f0np0": "10.9.0.1/24", "enp1s0f1np1": "192.168.177.11/24"})
    chosen = choose_network(fabric, eth_if="enp1s0f0np0", ib_if=("rocep1s0f0",), peers=(THERE,))
    assert (chosen.eth_if, chosen.address, chosen.hcas) == ("enp1s0f0np0", "10.9.0.1", ("rocep1s0f0",))
    assert chosen.warnings == (), "who chose knows"


def test_the_slow_interface_may_be_chosen_and_is_warned_of() -> None:
    chosen = choose_network(machine((), {}), eth_if="enP7s7")
    assert (chosen.address, chosen.hcas) == ("10.0.0.5", ())
    assert any("NCCL will use TCP" in w for w in chosen.warnings)


@pytest.mark.parametrize(
    ("said", "cause", "hint"),
    [
        ({"eth_if": "enp9"}, "no interface enp9", "enp1s0f1np1"),
        ({"eth_if": "enp1s0f0np0"}, "enp1s0f0np0 has no IPv4", "netplan"),
        ({"ib_if": ("rocep1s0f1", "mlx5_9")}, "no RDMA device mlx5_9", "roceP2p1s0f1"),
    ],
)
def test_a_choice_that_cannot_be_names_what_there_is(said: dict[str, object], cause: str, hint: str) -> None:
    with pytest.raises(SparkError, match=cause) as caught:
        choose_network(HERE, **said)  # type: ignore[arg-type]
    assert hint in caught.value.hint


def test_the_gid_index_is_looked_up_not_assumed() -> None:
    moved = tuple(replace(g, index=g.index + 2) for g in GIDS)
    fabric = replace(HERE, hcas=tuple(replace(h, gids=moved if h.up else ()) for h in HERE.hcas))
    assert choose_network(fabric).gid_index == 5
    assert choose_network(replace(HERE, hcas=tuple(replace(h, gids=()) for h in HERE.hcas))).gid_index is None


def test_addresses_lead_to_interfaces() -> None:
    assert interface_at(HERE, "192.168.177.11") == "enp1s0f1np1"
    assert interface_at(HERE, None) is None
    with pytest.raises(SparkError, match=r"fabric_address 10\.1\.1\.1"):
        interface_at(HERE, "10.1.1.1")
    assert is_fabric_address(HERE, "192.168.177.11")
    assert not is_fabric_address(HERE, "10.0.0.5")


def test_the_twelve_variables() -> None:
    network = NodeNetwork("enp1s0f1np1", "192.168.177.11", CAGE1)
    assert environment(network) == {
        "VLLM_HOST_IP": "192.168.177.11",
        "RAY_NODE_IP_ADDRESS": "192.168.177.11",
        "RAY_OVERRIDE_NODE_IP_ADDRESS": "192.168.177.11",
        "MN_IF_NAME": "enp1s0f1np1",
        "UCX_NET_DEVICES": "enp1s0f1np1",
        "NCCL_SOCKET_IFNAME": "enp1s0f1np1",
        "OMPI_MCA_btl_tcp_if_include": "enp1s0f1np1",
        "GLOO_SOCKET_IFNAME": "enp1s0f1np1",
        "TP_SOCKET_IFNAME": "enp1s0f1np1",
        "NCCL_IB_HCA": "rocep1s0f1,roceP2p1s0f1",
        "NCCL_IB_DISABLE": "0",
        "RAY_memory_monitor_refresh_ms": "0",
    }
    assert environment(network, nccl_debug="INFO")["NCCL_DEBUG"] == "INFO"
    assert environment(replace(network, hcas=()))["NCCL_IB_DISABLE"] == "1"


def test_two_cards_without_a_guid_are_no_twins() -> None:
    """Without the machine's GUID only the name tells, less the PCI domain of the second half."""
    names = {"rocep1s0f1": "enp1s0f1np1", "roceP2p1s0f1": "enP2p1s0f1np1", "rocep65s0f1": "enp65s0f1np1"}
    fabric = Fabric(
        tuple(Hca(d, n, up=True) for d, n in names.items()),
        (Netdev("enp1s0f1np1", ("192.168.177.11/24",), 9000, True),),
    )
    chosen = choose_network(fabric)
    assert chosen.hcas == CAGE1
    assert any("rocep65s0f1 is up but is on another port" in w for w in chosen.warnings)


def test_devices_of_other_names_are_twins_by_their_interfaces() -> None:
    fabric = Fabric(
        (
            Hca("mlx5_3", "enP2p1s0f1np1", up=True, image_guid="a"),
            Hca("mlx5_1", "enp1s0f1np1", up=True, image_guid="a"),
            Hca("mlx5_9", "ens9f1np1", up=True, image_guid="b"),
        ),
        (Netdev("enp1s0f1np1", ("192.168.177.11/24",), 9000, True),),
    )
    assert set(choose_network(fabric).hcas) == {"mlx5_1", "mlx5_3"}


def test_the_port_that_reaches_more_nodes_wins() -> None:
    mine = {"enp1s0f0np0": "10.9.0.1/24", "enp1s0f1np1": "192.168.177.11/24"}
    direct = {"enp1s0f0np0": "10.9.0.2/24", "enp1s0f1np1": "192.168.177.12/24"}
    peers = (machine(tuple(PORTS), direct, "b"), machine(CAGE1, {"enp1s0f1np1": "192.168.177.13/24"}, "c"))
    assert choose_network(machine(tuple(PORTS), mine), peers=peers).eth_if == "enp1s0f1np1"


def test_a_static_address_beats_a_link_local_one_that_reaches_as_many() -> None:
    both = {"enp1s0f1np1": "169.254.35.62/16", "enP2p1s0f1np1": "192.168.178.11/24"}
    theirs = {"enp1s0f1np1": "169.254.9.9/16", "enP2p1s0f1np1": "192.168.178.12/24"}
    chosen = choose_network(machine(CAGE1, both), peers=(machine(CAGE1, theirs, "b"),))
    assert (chosen.eth_if, chosen.hcas) == ("enP2p1s0f1np1", CAGE1)


def test_twins_with_different_mtus_are_a_warning() -> None:
    slow = tuple(replace(n, mtu=1500) if n.name == "enP2p1s0f1np1" else n for n in HERE.netdevs)
    (warning,) = choose_network(replace(HERE, netdevs=slow), peers=(THERE,)).warnings
    assert "enp1s0f1np1 9000, enP2p1s0f1np1 1500" in warning


def test_a_named_device_without_a_link_is_warned_of() -> None:
    (warning,) = choose_network(HERE, ib_if=("rocep1s0f1", "rocep1s0f0"), peers=(THERE,)).warnings
    assert "rocep1s0f0 was named and has no link" in warning


def test_a_port_without_a_gid_for_ipv4_is_warned_of() -> None:
    fabric = replace(HERE, hcas=tuple(replace(h, gids=h.gids[:2]) for h in HERE.hcas))
    (warning,) = choose_network(fabric, peers=(THERE,)).warnings
    assert "rocep1s0f1 has no GID for RoCE v2 over IPv4" in warning


def test_a_device_named_twice_is_in_no_subnet_with_itself() -> None:
    chosen = choose_network(HERE, ib_if=("rocep1s0f1", "rocep1s0f1"))
    assert not [warning for warning in chosen.warnings if "in one subnet" in warning]


def test_only_the_ports_with_a_link_are_fast() -> None:
    """A card may have two ports under one device name."""
    ports = (Hca("mlx5_0", "e0", up=True), Hca("mlx5_0", "e1", up=False))
    assert [n.name for n in Fabric(ports, (Netdev("e0"), Netdev("e1"))).fast()] == ["e0"]
