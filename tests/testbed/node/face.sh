#!/usr/bin/env bash
# face.sh ROOT INDEX: makes a node look like a DGX Spark: its tools, and /sys/class/infiniband with four functions.
# Everything lives in the node's overlay or tmpfs. Knobs for tests: /run/fakehw/{gpu,uuid,temp,util,power,procs,fail}.
set -euo pipefail
R=$1 I=$2 HERE=$(cd "$(dirname "$0")/.." && pwd)
install -m 755 "$HERE/shims/nvidia-smi" "$R/usr/bin/nvidia-smi"
# Docker 20.10 knows --gpus when this hook is on the engine's PATH at its start.
install -m 755 "$HERE/shims/nvidia-container-runtime-hook" "$R/usr/bin/nvidia-container-runtime-hook"
install -m 755 "$HERE/shims/ibdev2netdev" "$R/usr/sbin/ibdev2netdev"
mkdir -p "$R/usr/local/sbin"; install -m 755 "$HERE/shims/runc" "$R/usr/local/sbin/runc"

# A /sys/class that can be added to: the real classes stay, infiniband is ours.
T=$R/run/fakesys/class; mkdir -p "$T" "$R/run/fakesys/real"; mount -t sysfs sysfs "$R/run/fakesys/real"
for c in "$R"/sys/class/*; do
  c=${c##*/}
  case $c in
    net) mkdir "$T/net"; mount --bind "$R/sys/class/net" "$T/net" ;;
    infiniband) ;;
    *) ln -s "/run/fakesys/real/class/$c" "$T/$c" ;;
  esac
done
mapped() { # an IPv4 address as an IPv6-mapped GID; nothing when there is none
  [ -n "$1" ] || { echo 0000:0000:0000:0000:0000:0000:0000:0000; return; }
  (IFS=.; set -- $1; printf '0000:0000:0000:0000:0000:ffff:%02x%02x:%02x%02x\n' "$@")
}
function_of() { # DEVICE NETDEV RATE ADDRESS PCI GUID-OFFSET
  local d=$T/infiniband/$1 p; p=$d/ports/1
  mkdir -p "$p/gids" "$p/gid_attrs/ndevs" "$p/gid_attrs/types" "$p/counters" "$p/hw_counters" "$d/device/net/$2"
  echo "$3" >"$p/rate"; echo Ethernet >"$p/link_layer"; echo "1: DOWN" >"$p/state"; echo "3: Disabled" >"$p/phys_state"
  echo MT4129 >"$d/hca_type"; echo 28.45.4028 >"$d/fw_ver"; echo NVD0000000087 >"$d/board_id"
  printf '4cbb:47%02x:0000:%04x\n' "$I" "$6" >"$d/node_guid" # base, +1, +4, +5
  printf '4cbb:47%02x:0000:0000\n' "$I" >"$d/sys_image_guid" # one for all four: the machine's
  echo "1: CA" >"$d/node_type"; echo 0x15b3 >"$d/device/vendor"; echo "PCI_SLOT_NAME=$5" >"$d/device/uevent"
  for g in 0 1 2 3; do
    case $g in 0 | 1) printf 'fe80:0000:0000:0000:0000:0000:0000:%04x\n' "$((I * 16 + $6))" ;; *) mapped "$4" ;; esac >"$p/gids/$g"
    case $g in 0 | 2) echo "IB/RoCE v1" ;; *) echo "RoCE v2" ;; esac >"$p/gid_attrs/types/$g"
    echo "$2" >"$p/gid_attrs/ndevs/$g"
  done
  for c in port_xmit_data port_rcv_data link_downed symbol_error; do echo 0 >"$p/counters/$c"; done
}
mkdir -p "$T/infiniband"
function_of rocep1s0f0 enp1s0f0np0 "40 Gb/sec (4X QDR)" "" 0000:01:00.0 0
function_of rocep1s0f1 enp1s0f1np1 "200 Gb/sec (2X NDR)" "192.168.177.$((10 + I))" 0000:01:00.1 1
function_of roceP2p1s0f0 enP2p1s0f0np0 "40 Gb/sec (4X QDR)" "" 0002:01:00.0 4
function_of roceP2p1s0f1 enP2p1s0f1np1 "200 Gb/sec (2X NDR)" "192.168.178.$((10 + I))" 0002:01:00.1 5
mount --rbind "$T" "$R/sys/class"

# The port state follows the real carrier, and the counters the real traffic (in 4-byte words, as the driver's).
cat >"$R/run/face-loop.sh" <<'S'
#!/bin/sh
while :; do
  for d in /sys/class/infiniband/*/ports/1; do
    n=$(cat "$d/gid_attrs/ndevs/0"); s=/sys/class/net/$n
    if [ "$(cat "$s/carrier" 2>/dev/null)" = 1 ]; then state="4: ACTIVE" phys="5: LinkUp"; else state="1: DOWN" phys="3: Disabled"; fi
    [ "$(cat "$d/state")" = "$state" ] || { echo "$state" >"$d/state"; echo "$phys" >"$d/phys_state"; }
    [ -e "$s/statistics/tx_bytes" ] || continue
    echo $(($(cat "$s/statistics/tx_bytes") / 4)) >"$d/counters/port_xmit_data"
    echo $(($(cat "$s/statistics/rx_bytes") / 4)) >"$d/counters/port_rcv_data"
  done
  sleep 0.5
done
S
chmod +x "$R/run/face-loop.sh"
printf 'DGX_NAME="DGX Spark"\nDGX_PRETTY_NAME="NVIDIA DGX Spark"\nDGX_SWBUILD_VERSION="7.3.1"\n' >"$R/etc/dgx-release"
mkdir -p "$R/run/fakehw"
printf 'GPU-%08x-b3b5-007e-2b55-79f2d0f2ebe5\n' "$((0x2dee1e00 + I))" >"$R/run/fakehw/uuid"
echo "NVIDIA GB10" >"$R/run/fakehw/gpu"
