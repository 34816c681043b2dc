"""What Docker 20 to 29 says of images, containers and archives, and the registry it asks."""

from sparkconsole.parse.known.known import During, cause, fact, warning

DOCKER = {
    "docker-not-permitted": cause(
        r"permission denied while trying to connect to the [Dd]ocker|"
        r"[Gg]ot permission denied.{0,400}docker\.sock|"
        r"dial unix /var/run/docker\.sock: connect: permission denied",
        "docker may not be used by this user",
        "only the group docker may",
        "sudo usermod -aG docker $USER on the node, then log in again",
        "permission denied while trying to connect to the Docker daemon socket at "
        "unix:///var/run/docker.sock",
        remedies={During.LAUNCH: "on that node: sudo usermod -aG docker $USER, then log in again"},
    ),
    "docker-configuration": cause(
        r"unable to configure the Docker daemon with file (?P<file>\S{1,160}): (?P<said>.{1,300})",
        "docker refuses to start: {file}: {said}",
        "its configuration cannot be read, or says what the service's own flags say otherwise",
        "mend that file on the node: dockerd --validate checks it; then sudo systemctl restart docker",
        "unable to configure the Docker daemon with file /etc/docker/daemon.json: invalid character '}'",
        calm=True,
    ),
    "daemon-refused": cause(
        r"(?P<said>containerd): .{0,40}(?:failed to load|invalid|unmarshal) .{1,200}|"
        r"(?P<said2>/\S{0,80}sshd_config\S{0,40} line \d+): (?:Bad|Unsupported|[Mm]issing|invalid).{0,80}|"
        r"Bad configuration option|terminating, \d+ bad configuration option|no hostkeys available|"
        r"Missing privilege separation directory|failed to start daemon: (?P<said3>.{1,200})|"
        r"failed to start containerd",
        "a service refused to start: {said}",
        "its configuration or something that it needs at its start is wrong, as the line says",
        "mend that on the node and restart the service; dockerd --validate, sshd -t and journalctl -u check "
        "it",
        "failed to start daemon: Error initializing network controller: no bridge",
        calm=True,
    ),
    "docker-down": cause(
        r"Cannot connect to the Docker daemon|[Ii]s the docker daemon running|failed to start daemon$",
        "the docker engine does not run",
        "the engine is stopped, or failed to start",
        "sudo systemctl start docker on the node; journalctl -u docker says why not",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        remedies={During.LAUNCH: "on that node: sudo systemctl start docker"},
    ),
    "docker-mount": cause(
        r"error mounting \\?\"(?P<source>[^\"\\]{1,200})|"
        r"bind source path does not exist: (?P<source2>\S{1,200})|"
        r"[Ii]nvalid (?:mount config|volume specification)|Are you trying to mount a directory onto a file",
        "docker cannot mount a file or folder: {source}",
        "it is not there on the node, or a folder where a file is wanted (docker makes a folder of a missing "
        "file)",
        "ls -l it on every node; then start the container again",
        'error mounting "/home/u/x.json" to rootfs at "/x": not a directory',
    ),
    "docker-networks-full": cause(
        r"non-overlapping IPv4 address pool|address pools have been fully subnetted",
        "docker has no addresses left for another network",
        "networks of earlier projects are left over, or its address pools are small",
        "docker network prune on the node; --network host needs none",
        "could not find an available, non-overlapping IPv4 address pool among the defaults",
    ),
    "docker-name-taken": cause(
        r"container name \"?/?(?P<name>[^\"\s]+)\"? is already in use",
        "a container of that name is there already: {name}",
        "left over from before",
        "sparkconsole stop removes it after keeping its logs",
        'Conflict. The container name "/vllm_node" is already in use by container "ab12"',
    ),
    "docker-no-image": cause(
        r"No such image:? ?(?P<image>\S*)|pull access denied for (?P<image2>[^\s,]+?)[,.]?(?:\s|,|$)|"
        r"(?<!matching )manifest (?:for (?!linux/)\S+ |unknown)|repository \S+ not found|"
        r"repository does not exist or may require",
        "the image {image} is not on this node",
        "it was not copied here",
        "sparkconsole image copy",
        "Error response from daemon: No such image: vllm-node:latest",
        remedies={
            During.BUILD: "the base image is not there: name one with --build-arg BASE_IMAGE=…",
            During.LAUNCH: "copy it there: sparkconsole image copy {image}",
        },
    ),
    "docker-pulls": fact(
        r"Unable to find image '(?P<image>[^']+)' locally",
        "Docker looks for the image elsewhere: {image}",
        "it is not on this node",
        "sparkconsole image copy, where it should have been here",
        "Unable to find image 'vllm-node:latest' locally",
    ),
    "docker-no-container": cause(
        r"No such container: ?(?P<name>\S*)|[Cc]ontainer \S+ is not running",
        "the container is not there: {name}",
        "it was removed, or has ended",
        "sparkconsole status; launch starts it",
        "Error response from daemon: No such container: vllm_node",
    ),
    "image-without-ray": cause(
        r"exec: \"?ray\"?:? .{0,120}(?:not found|no such file)|\bray: (?:command )?not found|"
        r"No module named '?ray\b",
        "the image has no `ray`",
        "vLLM's own image and NVIDIA's come without it",
        "build an image with ray[default], or launch without Ray: --backend none",
        'exec failed: unable to start container process: exec: "ray": executable file not found in $PATH',
    ),
    "no-such-command": cause(
        r"\"(?P<name>[^\"]+)\": executable file not found in \$PATH|"
        r"\b(?P<name2>vllm|ray|docker|python3?|nvidia-smi|hf): command not found",
        "there is no such program: {name}",
        "the image, or the machine, does not have it",
        "another image, or its full path",
        'exec failed: unable to start container process: exec: "vllm": executable file not found in $PATH',
        remedies={During.LAUNCH: "is it the right image? sparkconsole image list"},
    ),
    "registry-refused": cause(
        r"toomanyrequests|pull rate limit|x509: certificate|no basic auth credentials|"
        r"denied: requested access|"
        r"failed to (?:authorize|fetch (?:anonymous|oauth) token): .{0,200}(?:40[13]|[Uu]nauthorized|"
        r"[Ff]orbidden|denied)|unauthorized: authentication required|insufficient_scope",
        "the registry did not give the image",
        "too many pulls, a certificate that is not trusted, or no login",
        "docker login; or build it: sparkconsole image build",
        "Error response from daemon: toomanyrequests: You have reached your pull rate limit.",
    ),
    "docker-other-platform": cause(
        r"no matching manifest for (?P<wants>\S+)|no match for platform in manifest",
        "the image is for another processor: {wants}",
        "a Spark is linux/arm64",
        "build it on a Spark: sparkconsole image build",
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
    ),
    "docker-no-gpu": cause(
        r"could not select device driver .{0,40}with capabilities|nvidia-container-cli|"
        r"unknown (?:or invalid )?runtime name: nvidia|failed to discover GPU vendor|"
        r"unresolvable CDI devices",
        "docker has no NVIDIA runtime here",
        "NVIDIA's container toolkit is missing, or its driver is down",
        "nvidia-smi must work on the node; sudo nvidia-ctk runtime configure --runtime=docker, then restart "
        "docker",
        'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].',
        remedies={
            During.LAUNCH: "install nvidia-container-toolkit and restart docker, or try without: --no-gpus"
        },
    ),
    "path-with-tilde": cause(
        r"(?:l?stat|change_dir|open|access|chdir|mkdir|cannot (?:stat|access|open|create))\b[^:]{0,160}?"
        r"(?P<path>/[^\s:]{0,160}/~[^\s:'\"]{0,80})['\"]?(?: failed)?: [Nn]o such file|"
        r"No such file or directory: ['\"](?P<path2>[^'\"]{0,160}/~[^'\"]{0,80})['\"]",
        "a ~ was taken as a folder of that name: {path}",
        "only a shell knows what ~ stands for, and not behind quotes or another folder",
        "give the whole path",
        "lstat /home/u/~: no such file or directory",
    ),
    "docker-blob-missing": cause(
        r"docker-import-\S{0,200}: no such file|docker-import-\S{0,100}blobs/sha256|"
        r"blobs/sha256/\S{1,100}: no such file or directory|content digest \S{1,100}: not found|"
        r"failed to (?:read|resolve) .{0,200}blob|invalid (?:tar|archive) (?:header|format)|"
        r"open .{0,100}/manifest\.json: no such file",
        "an image archive is not whole",
        "docker save of a multi-platform image from a containerd store leaves blobs out, or the stream broke",
        "docker save --platform linux/arm64; sparkconsole image copy does so and proves what arrived",
        "open /var/lib/docker/tmp/docker-import-1/blobs/sha256/ab: no such file or directory",
    ),
    "archive-cut-short": cause(
        r"\bunexpected EOF\b(?!, expected)|Untar .{0,60}error|archive/tar: (?:invalid|truncated)|"
        r"[Uu]nexpected end of (?:file|archive|stream|data)|gzip: .{0,80}(?:invalid|unexpected|corrupt)|"
        r"unpigz: .{0,80}(?:corrupt|ended)|zstd: .{0,80}(?:premature|corrupt|truncated)|tar: Unexpected EOF|"
        r"short read: expected \d+ bytes|EOFError: Compressed file ended",
        "what was read ended too early: an archive or a stream was cut short",
        "the sender died, the connection broke, or the disk of either side was full",
        "copy it again: sparkconsole image copy compares what arrived; look at free disk on both nodes",
        "Untar re-exec error: exit status 1: output: unexpected EOF",
        remedies={During.COPY: "copy it again; look at free disk on both nodes"},
    ),
    "platform-differs": warning(
        r"requested image's platform \((?P<has>[^)]{1,80})\) does not match",
        "the image is for another processor: {has}",
        "it runs only where the kernel can translate it, and slowly",
        "build it on a Spark: sparkconsole image build",
        "WARNING: The requested image's platform (linux/amd64) does not match the detected host platform",
    ),
    "image-differs": warning(
        r"Docker image mismatch on (?:worker )?node \(?(?P<node>[^)\s:]+)",
        "the image of {node} seems to be another one",
        "ids differ between Docker's two image stores for the same image: only the layers tell",
        "sparkconsole image list compares the content",
        "Error: Docker image mismatch on worker node (10.0.0.2):",
    ),
}
