#!/usr/bin/env bash
# Runs in a node's new net, mount, uts and ipc namespaces: lays its root file system, then becomes its PID 1.
set -euo pipefail
export PATH=/usr/sbin:/sbin:/usr/bin:/bin
for d in $TB_CGROUPS; do echo $$ >"$d/cgroup.procs"; done # the whole node: freeze, limits, accounting
echo "$TB_NAME" >/proc/sys/kernel/hostname
R=$TB_STATE/root
U=$TB_STATE/up/upper

# --- the machine's own root, copied on write; what nodes must not share is theirs alone
mount -t overlay "$TB_NAME" -o "lowerdir=/,upperdir=$U,workdir=$TB_STATE/up/work" "$R"
mkdir -p "$R"/{proc,sys,dev,run,tmp,root,home,var/lib/docker,var/log,var/tmp,etc/ssh}
mount --rbind /dev "$R/dev"; mount --make-rprivate "$R/dev"
mount -t tmpfs -o mode=1777,size=4g shm "$R/dev/shm" # --ipc host shares this one: per node, not the machine's
mkdir -p "$R/dev/mqueue"; mount -t mqueue mqueue "$R/dev/mqueue" 2>/dev/null || true
mount -t sysfs sysfs "$R/sys"
mkdir -p "$R/sys/fs/cgroup"; mount --rbind /sys/fs/cgroup "$R/sys/fs/cgroup"
mount -t tmpfs -o mode=755 run "$R/run"; mkdir -p "$R/run/sshd" "$R/run/lock"
[ -L "$R/var/run" ] || { rm -rf "$R/var/run"; ln -s /run "$R/var/run"; }
mount -t tmpfs -o mode=1777,size=8g tmp "$R/tmp"
mount -t tmpfs -o mode=1777,size=2g vartmp "$R/var/tmp"
mount --bind "$TB_DISK/root" "$R/root"
mount --bind "$TB_DISK/home" "$R/home"
mount --bind "$TB_DISK/docker" "$R/var/lib/docker"
# Nothing of the console is on a node: what works here must not work because the checkout happens to be there.
[ -z "${TB_CHECKOUT:-}" ] || [ ! -d "$R$TB_CHECKOUT" ] || mount -t tmpfs -o ro,size=4k nothing "$R$TB_CHECKOUT"
# Debian's own docker client has BuildKit built in; a newer one without buildx, put beside it, has not.
[ ! -x "$R/usr/bin/docker" ] || rm -f "$R/usr/local/bin/docker"
# Another engine than the machine's, which keeps images by a graph driver or as containerd does.
if [ -n "${TB_ENGINE:-}" ]; then
  mkdir -p "$R/opt/engine" "$R/etc/docker"; mount --bind -o ro "$TB_ENGINE" "$R/opt/engine"
  for file in "$R"/opt/engine/usr/bin/* "$R"/opt/engine/usr/sbin/*; do
    ln -sf "${file#"$R"}" "$R/usr/local/bin/${file##*/}"
  done
  echo "{\"features\": {\"containerd-snapshotter\": $TB_CONTAINERD}}" >"$R/etc/docker/daemon.json"
else
  rm -rf "$R/etc/docker/daemon.json" "$R"/usr/local/bin/{dockerd,docker-proxy,docker-init,containerd*,ctr}
fi

# --- names and logins
echo "$TB_NAME" >"$R/etc/hostname"
md5sum <<<"$TB_NAME" | cut -c1-32 >"$R/etc/machine-id"
{ echo "127.0.0.1 localhost"; for i in $(seq 64); do echo "$TB_FABRIC.$((10 + i)) $TB_PREFIX$i"; done; } >"$R/etc/hosts"
rm -f "$R"/etc/ssh/ssh_host_*; cp -p "$TB_DISK"/hostkeys/ssh_host_* "$R/etc/ssh/"
# The environment of a login is Ubuntu's, which PAM would take from /etc/environment.
cat >"$R/etc/ssh/sshd_config" <<S
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile /run/sshd.pid
MaxStartups 100
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
Subsystem sftp internal-sftp
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
S
# People: none of the machine's, one who may use Docker, and one who may not.
for file in passwd group; do
  awk -F: '$3 < 1000 || $3 == 65534' "$R/etc/$file" >"$R/run/$file"; cat "$R/run/$file" >"$R/etc/$file"
done
grep -q ^docker: "$R/etc/group" || echo "docker:x:998:" >>"$R/etc/group"
for entry in spark:1000 guest:1001; do
  user=${entry%:*} id=${entry#*:}
  sed -i "/^$user:/d" "$R/etc/passwd" "$R/etc/shadow" "$R/etc/group"
  echo "$user:x:$id:$id::/home/$user:/bin/bash" >>"$R/etc/passwd"
  echo "$user:*:19000:0:99999:7:::" >>"$R/etc/shadow"
  echo "$user:x:$id:" >>"$R/etc/group"
  find "$R/home/$user" ! -uid "$id" -exec chown -h "$id:$id" {} +
done
sed -i 's/^\(docker:[^:]*:[^:]*:\).*/\1spark/' "$R/etc/group"
"$TB_HERE/node/face.sh" "$R" "$TB_INDEX"

# --- capabilities that this machine's root cannot grant; the runc shim drops them from containers
names=(CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE)
bounding=$((16#$(awk '/^CapBnd/{print $2}' /proc/self/status)))
for b in "${!names[@]}"; do (((bounding >> b) & 1)) || echo "CAP_${names[$b]}"; done >"$R/run/missing-caps"

# --- and go: the node's first process is docker-init, which buries orphans as systemd would
install -m 755 "$TB_HERE/node/init.sh" "$R/run/node-init.sh"
exec 9>"$TB_PIDFILE.tmp"
cd "$R"; mkdir -p run/old
pivot_root . run/old
# The new PID 1 reads its own number from the machine's /proc before that goes away.
exec unshare --pid --fork --kill-child chroot . /bin/sh -c '
  read -r p _ </run/old/proc/self/stat; echo "$p $(cut -d" " -f22 /run/old/proc/$p/stat)" >&9; exec 9>&-
  mv "/run/old$TB_PIDFILE.tmp" "/run/old$TB_PIDFILE"
  mount -t proc proc /proc; umount -l /run/old; rmdir /run/old
  exec /usr/bin/docker-init -- /run/node-init.sh'
