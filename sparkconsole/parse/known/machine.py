"""What the kernel, NVIDIA's driver, SSH and the machine say. Linux with NVIDIA's driver 570 to 595."""

from sparkconsole.parse.known.known import cause, fact, harmless, warning
from sparkconsole.parse.known.numbered.xids import XIDS

MACHINE = {
    "guard-fired": cause(
        r"sparkconsole guard: MemAvailable is (?P<left>\d+) kB, the line is (?P<line>\d+) kB",
        "the memory guard ended the server: {left} kB of memory were left, its line is {line} kB",
        "below that line a machine whose GPU shares its memory freezes",
        "serve with less --gpu-memory-utilization, --max-model-len or --max-num-seqs: sparkconsole model fit",
        "sparkconsole guard: MemAvailable is 3145728 kB, the line is 4194304 kB: the server is ended before "
        "the machine freezes",
    ),
    "driver-no-memory": cause(
        r"NVRM: .{0,400}(?:NV_ERR_NO_MEMORY|Out of memory)|_memdescAllocInternal",
        "NVIDIA's driver could not get memory",
        "the unified memory was used up; with drivers up to 580.159.03 also a leak",
        "lower --gpu-memory-utilization; driver 580.173.02 or newer; "
        "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
        "NVRM: nvCheckOkFailedNoLog: Check failed: Out of memory [NV_ERR_NO_MEMORY]",
    ),
    "gpu-test-message": harmless(
        r"NVRM: Xid \([^)]{0,80}\): 10[67]\b",
        "a test message of the management bus (SMBPBI)",
        "NVRM: Xid (PCI:000f:01:00): 106, SMBPBI Test Message",
    ),
    "gpu-xid-earlier": cause(
        r"\bXid(?: \([^)]{0,40}\))?:? (?P<follows>\d+)\b(?:.{0,160}?name=(?P<process>[\w:.-]+))?.{0,160}"
        r"(?:caused by|due to|because of) (?:an? |the )?(?:previous|earlier) Xid (?P<xid>\d+)\b",
        "the GPU driver reported an error: {xid_means}",
        "Xid {follows} follows from it",
        "start the server again; switch the machine off and on when it comes back",
        "NVRM: Xid (PCI:000f:01:00): 45, pid=4242, name=VLLM::Worker, Ch 1 caused by previous Xid 149",
        numbers={"xid": XIDS},
    ),
    "gpu-lost": cause(
        r"\bXid(?: \([^)]{0,40}\))?:? 79\b|GPU has fallen off the bus|GPU is lost|GPU requires reset|"
        r"Unable to determine the device handle",
        "the GPU no longer answers (Xid 79)",
        "power, heat, or a driver that lost it",
        "switch the machine off and on; update the driver and firmware when it happens again",
        "NVRM: Xid (PCI:000f:01:00): 79, pid=0, GPU has fallen off the bus.",
    ),
    "gpu-memory": cause(
        r"NVRM: Xid \([^)]{0,80}\): (?P<xid>48|63|64|92|94|95|140|168|171|172)\b",
        "the GPU found an error in its memory: {xid_means}",
        "an uncorrectable error, or one that was contained",
        "switch the machine off and on; when it comes back have it looked at",
        "NVRM: Xid (PCI:000f:01:00): 94, pid=4242, Contained ECC error",
        numbers={"xid": XIDS},
    ),
    "gpu-link-corrected": warning(
        r"NVRM: Xid \([^)]{0,80}\): 121\b",
        "the link between CPU and GPU corrected an error: Xid 121",
        "the hardware mended it; many of them cost speed",
        "switch the machine off and on when it comes back often; the newest driver and firmware",
        "NVRM: Xid (PCI:000f:01:00): 121, pid=4242, C2C Link corrected error",
    ),
    "gpu-firmware": cause(
        r"NVRM: Xid \([^)]{0,80}\): (?P<xid>33|37|38|59|61|62|119|120|169)\b",
        "the GPU's own firmware failed: {xid_means}",
        "it stopped answering the driver",
        "switch the machine off and on; the newest driver and firmware",
        "NVRM: Xid (PCI:000f:01:00): 119, pid=4242, Timeout waiting for RPC from GSP",
        numbers={"xid": XIDS},
    ),
    "gpu-xid": cause(
        r"\bXid(?: \([^)]{0,40}\))?:? (?P<xid>\d+)\b(?:.{0,160}?name=(?P<process>[\w:.-]+))?",
        "the GPU driver reported an error: {xid_means} {process}",
        "the number is of NVIDIA's Xid catalogue",
        "start the server again; try another backend or --enforce-eager; update the driver when it comes "
        "back",
        "NVRM: Xid (PCI:000f:01:00): 31, pid=4242, name=VLLM::Worker, MMU Fault",
        numbers={"xid": XIDS},
    ),
    "driver-mismatch": cause(
        r"Driver/library version mismatch|NVRM: API mismatch|couldn't communicate with the NVIDIA driver|"
        r"couldn't find NVML|Failed to initialize NVML|nvml error: driver not loaded|"
        r"Failed to query NVIDIA devices",
        "NVIDIA's driver in the kernel and its library do not fit, or no driver is loaded",
        "an update replaced one of them, and the machine was not booted since",
        "sparkconsole node reboot; dkms status on the node when it stays",
        "Failed to initialize NVML: Driver/library version mismatch",
    ),
    "gpu-not-seen": cause(
        r"^No devices were found|NVRM: .{0,80}RmInitAdapter failed|NVRM: No NVIDIA (?:GPU|graphics adapter)|"
        r"NVML_ERROR_GPU_NOT_FOUND|nvidia-smi: No devices",
        "the driver sees no GPU",
        "the GPU did not come up with the machine, or the driver does not support it",
        "switch the machine off and on (AC power too); dmesg | grep NVRM says more",
        "No devices were found",
    ),
    "certificate-refused": cause(
        r"CERTIFICATE_VERIFY_FAILED|certificate (?:is not yet valid|has expired|verify failed)|"
        r"x509: certificate has expired or is not yet valid|SSL certificate problem|"
        r"unable to get local issuer",
        "a certificate was not accepted",
        "the machine's clock is wrong, a proxy puts its own certificate in, or the certificate expired",
        "timedatectl on the node: sparkconsole doctor clock; else the proxy's certificate must be trusted "
        "there",
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
    ),
    "huge-pages": cause(
        r"[Hh]uge ?[Pp]ages?.{0,80}(?:[Ff]ailed|[Cc]annot|[Cc]ould not|[Nn]ot enough|insufficient)|"
        r"hugetlb.{0,80}(?:allocation failed|cannot)",
        "huge pages cannot be had",
        "none are reserved, or the memory is in pieces",
        "sysctl vm.nr_hugepages on the node; or start without them",
        "HugePages allocation failed: not enough free 2048kB pages",
    ),
    "nic-failed": cause(
        r"mlx5\w{0,40} .{0,400}(?:health (?:poll|compromised|recovery)|device's health|fatal error|enter "
        r"error state|cmd_exec timeout|pre-initializing|error -110|wait for FW)|mlx5_cmd_(?:check|out_err)|"
        r"mlx5\w{0,40} .{0,400}(?:wait_func|timeout\. Will cause)",
        "the ConnectX NIC failed",
        "its firmware hangs, or it was powered down under load",
        "switch the machine off and on; the same firmware on all nodes: sparkconsole doctor",
        "mlx5_core 0000:01:00.0: device's health compromised - reached miss count",
    ),
    "pcie-timeout": cause(
        r"CmpltTO|CMD_SYNC timeout|arm-smmu-v3.{0,400}event 0x|"
        r"pcieport .{0,400}(?:Uncorrectable|\(Fatal\)|UncorrErr)|AER: .{0,400}(?:Uncorrect|Fatal)",
        "a device on the PCIe bus did not answer in time",
        "seen with ConnectX-7 behind the SMMU; files may have been damaged",
        "switch the machine off and on; the vendor's firmware; check the models: sparkconsole model list",
        "pcieport 0000:00:00.0: AER: Uncorrectable (Non-Fatal) error: CmpltTO",
    ),
    "disk-failed": cause(
        r"EXT4-fs error|XFS \S+: .{0,400}(?:[Cc]orrupt|[Ss]hut)|BTRFS (?:error|critical)|I/O error, dev|"
        r"nvme\d.{0,400}(?:timeout, (?:aborting|reset)|controller is down)|Remounting filesystem read-only|"
        r"Buffer I/O error",
        "the disk or its file system failed",
        "the kernel says so itself",
        "save what matters; check the disk (smartctl), then the file system",
        "EXT4-fs error (device nvme0n1p2): ext4_find_entry:1683: reading directory lblock 0",
    ),
    "nic-link-down": warning(
        r"mlx5_core .{0,400}[Ll]ink down|"
        r"(?:enp\w{1,40}|roce\w{1,40}): (?:NIC Link is Down|[Ll]ink is? down|carrier lost)",
        "a fabric port lost its link",
        "the cable moved, or the peer went down",
        "sparkconsole status shows the links; reseat the cable",
        "mlx5_core 0000:01:00.1 enp1s0f1np1: Link down",
    ),
    "nic-power": fact(
        r"PCIe slot power capability was not advertised|insufficient power on the PCIe slot",
        "the NIC may run with less power: RDMA stays at 13 Gb/s then",
        "Sparks that are fast say so too; where it is slow, the cable was plugged in while the hotplug flag "
        "keeps the NIC off",
        "sparkconsole fabric test measures it; where it is slow: remove /etc/nvidia/cx7-hotplug-enabled and "
        "reboot both nodes with the cable in",
        "mlx5_core 0000:01:00.0: PCIe slot power capability was not advertised.",
    ),
    "hot": warning(
        r"(?:GPU|CPU|Package|thermal).{0,400}(?:temperature above threshold|throttl(?:ed|ing)|critical "
        r"temperature)|(?:HW|SW) Thermal Slowdown(?!\s*: (?:Not|N/A|\d))",
        "the machine throttles because it is hot",
        "airflow, or dust",
        "give it air; sparkconsole status shows the temperature",
        "CPU3: Package temperature above threshold, cpu clock throttled (total events = 1)",
    ),
    "power-capped": warning(
        r"(?:HW Power Brake Slowdown|HW Slowdown|SW Power Cap)\s*: Active",
        "the GPU runs slower than it could: its power or its clock is limited",
        "it reached its power limit, which is usual under full load, or the power supply is too weak",
        "the power supply that came with the machine; nvidia-smi -q -d PERFORMANCE says which limit",
        "        HW Power Brake Slowdown           : Active",
    ),
    "ssh-host-key": cause(
        r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the machine that answers has another host key than is trusted",
        "it was installed anew, or it is another machine",
        "compare the key on the machine itself, then sparkconsole node trust",
        "Host key verification failed.",
    ),
    "ssh-refused": cause(
        r"Permission denied \((?:publickey|password|keyboard)|Too many authentication failures",
        "SSH does not let you in",
        "the key is not known there, or the machine's own key changed",
        "ssh-copy-id; sparkconsole node trust",
        "user@10.0.0.2: Permission denied (publickey,password).",
    ),
    "host-not-reached": cause(
        r"(?:ssh|connect): .{0,400}(?:No route to host|Connection timed out|Network is unreachable|"
        r"Connection refused)",
        "a host cannot be reached",
        "it is off, or the network between is down",
        "sparkconsole status",
        "ssh: connect to host 10.0.0.2 port 22: No route to host",
    ),
    "boot-of-the-kernel": harmless(
        r"^ACPI(?: BIOS)? (?:Error|Warning|Exception)|^ACPI: .{0,80}(?:[Ff]ailed|[Ee]rror)|"
        r"module verification failed: signature|tainting kernel|taints kernel|^Bluetooth: |cfg80211: |"
        r"regulatory\.db|integrity: Problem loading|X\.509 certificate -65|"
        r"BAR \d+ \[.{1,80}\]: (?:can't assign|failed to assign)|can't disable ASPM|nv_get_p2p_free_callback|"
        r"cma_alloc: .{0,80}ret: -16\b|"
        r"Direct firmware load for (?!.{0,80}(?:nvidia|mlx|mellanox)).{1,160} failed|"
        r"^(?:iwlwifi|mt7\w+|rtw\w*|ath\d+k\w*|brcmfmac|btusb|btmtk|snd_\w+|hdaudio\w*|ucsi\w*|typec|tpm\w*|"
        r"simple-framebuffer|thunderbolt|usb|hid-\w+|xhci\w*|i2c\w*|uvcvideo) [\w.:-]{1,40}: ",
        "the kernel says so in boots that work: firmware tables, wireless, sound and signatures",
        "ACPI Error: AE_NOT_FOUND, While resolving a named reference package element "
        "(20230628/dspkginit-438)",
    ),
    "ray-noise": harmless(
        r"Token authentication is disabled|check your firewall settings|prometheus healthcheck|"
        r"/dev/shm.{0,400}(?:only|less than)|Memory usage above threshold but no workers|NVRM: loading|"
        r"nvidia-modeset|audit:|apparmor=\"(?:STATUS|ALLOWED)|AER: .{0,400}Corrected|Corrected error|"
        r"Connection to \S+ closed\.?$",
        "said by every Ray and every kernel",
        "WARNING authentication_token_setup.py:73 -- Token authentication is disabled for this Ray cluster.",
    ),
}
