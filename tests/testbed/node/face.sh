#!/usr/bin/env bash
# face.sh ROOT INDEX: gives a node the tools of a DGX Spark, and a /sys/class that can be added to.
# Everything lives in the node's overlay or tmpfs. Knobs for tests are files in /run/fakehw:
#   gpu uuid temp util power  what nvidia-smi says      procs  compute processes, `PID, NAME, MIB` a line
#   fail  nvidia-smi cannot reach the driver            slow   seconds that nvidia-smi hangs
set -euo pipefail
R=$1 I=$2 SHIMS=$(cd "$(dirname "$0")/../shims" && pwd)
mkdir -p "$R/usr/local/sbin"
install -m 755 "$SHIMS/nvidia-smi" "$R/usr/bin/nvidia-smi"
# Docker 20.10 knows --gpus when this hook is on the engine's PATH at its start.
install -m 755 "$SHIMS/nvidia-container-runtime-hook" "$R/usr/bin/nvidia-container-runtime-hook"
install -m 755 "$SHIMS/ibdev2netdev" "$R/usr/sbin/ibdev2netdev"
install -m 755 "$SHIMS/runc" "$R/usr/local/sbin/runc"
install -m 755 "$(dirname "$0")/face.py" "$R/run/face.py"

# The kernel's classes stay what they are; infiniband is ours, and face.py fills it.
T=$R/run/fakesys/class; mkdir -p "$T/infiniband" "$R/run/fakesys/real"; mount -t sysfs sysfs "$R/run/fakesys/real"
for c in "$R"/sys/class/*; do
  c=${c##*/}
  case $c in
    net) mkdir "$T/net"; mount --bind "$R/sys/class/net" "$T/net" ;;
    infiniband) ;;
    *) ln -s "/run/fakesys/real/class/$c" "$T/$c" ;;
  esac
done
mount --rbind "$T" "$R/sys/class"

cat >"$R/etc/dgx-release" <<S
DGX_NAME="DGX Spark"
DGX_PRETTY_NAME="NVIDIA DGX Spark"
DGX_SWBUILD_VERSION="7.3.1"
DGX_PLATFORM="DGX Server for KVM"
S
mkdir -p "$R/run/fakehw"
printf 'GPU-%08x-b3b5-007e-2b55-79f2d0f2ebe5\n' "$((0x2dee1e00 + I))" >"$R/run/fakehw/uuid"
echo "NVIDIA GB10" >"$R/run/fakehw/gpu"
