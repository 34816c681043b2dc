#!/bin/sh
# Child of a node's PID 1: the RDMA face, sshd, and the engine, which is started again when it dies, as by systemd.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
python3 /run/face.py "$TB_INDEX" </dev/null >/run/face.log 2>&1 # comes back once the tree stands, and keeps it true
# Readable from outside the node, and kept over power cuts: tests count the operator's logins in it.
touch /var/log/sshd.log; ln -sf /var/log/sshd.log /run/sshd.log
/usr/sbin/sshd -D -E /var/log/sshd.log </dev/null >/dev/null 2>&1 &
while [ ! -e /run/powering-off ]; do
  dockerd --cgroup-parent "$TB_CGROUP_PARENT" --exec-opt native.cgroupdriver=cgroupfs </dev/null >>/run/dockerd.log 2>&1
  sleep 1
done
exec sleep infinity
