#!/usr/bin/env python3
"""Makes the environment that sparkconsole is installed into, with this Python alone.

    environment.py FOLDER WHAT…      WHAT as pip takes it: `.`, or `--editable .[dev]`

Debian and Ubuntu keep `ensurepip` in a package of its own (python3-venv), and refuse a `pip install`
outside an environment. So: uv where it is, else `venv`, else `venv --without-pip` and pip's own wheel from
the index, whose hash is compared. Where none of it works the first line printed is the command that helps.

PIP_INDEX_URL, PIP_CERT, SSL_CERT_FILE and pip's own configuration files are honoured. Nothing here needs more
than the standard library, nor a newer Python than it asks for.
"""

import configparser
import hashlib
import html.parser
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

NEEDED = (3, 11)
INDEX = "https://pypi.org/simple"
QUIET = ("--quiet", "--disable-pip-version-check")


def main(folder, what):
    """Makes `folder` anew and installs `what`; the exit code."""
    if sys.version_info < NEEDED:
        print(f"sparkconsole needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}")
        print("with another one: make PYTHON=python3.12")
        return 1
    if of_another_python(folder):
        shutil.rmtree(folder)
    if with_uv(folder, what) or with_pip(folder, what):
        return 0
    return 1


def of_another_python(folder):
    """An environment is there, and not this Python's: over it half of each would be left."""
    if not os.path.isfile(os.path.join(folder, "pyvenv.cfg")):
        return False
    say = "import sys; print(sys.version, sys.base_prefix)"
    try:
        told = subprocess.run(
            (inside(folder), "-c", say), capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return True
    return told.stdout.strip() != f"{sys.version} {sys.base_prefix}"


def with_uv(folder, what):
    """False where there is no uv, or where it cannot reach what pip's configuration names."""
    uv = shutil.which("uv")
    if uv is None:
        return False
    made = (uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder)
    filled = (uv, "pip", "install", "--quiet", "--python", inside(folder), *what)
    return all(subprocess.run(words, check=False).returncode == 0 for words in (made, filled))


def with_pip(folder, what):
    """True once it is installed; else what is missing has been printed."""
    pip = make_with_pip(folder)
    if not pip:
        return False
    return subprocess.run((*pip, "install", *QUIET, *what), check=False).returncode == 0


def make_with_pip(folder):
    """Makes the environment; how its pip is called, or nothing when what is missing has been printed."""
    pip = (inside(folder), "-m", "pip")
    if (
        has("ensurepip")
        and subprocess.run((sys.executable, "-m", "venv", folder), check=False).returncode == 0
    ):
        return pip
    bare = (sys.executable, "-m", "venv", "--clear", "--without-pip", folder)
    if not has("venv") or subprocess.run(bare, check=False).returncode != 0:
        return missing("this Python cannot make environments")
    try:
        add_pip(folder)
    except (OSError, ValueError) as error:
        return missing(f"pip could not be fetched from {index_url()}: {error}")
    return pip


def missing(why):
    """The first line is the command that helps; nothing."""
    print("apt install python3-venv    # or your system's package with Python's venv and ensurepip")
    print(why)
    return ()


def has(module):
    """Whether this Python has it."""
    return (
        subprocess.run(
            (sys.executable, "-c", "import " + module), stderr=subprocess.DEVNULL, check=False
        ).returncode
        == 0
    )


def inside(folder):
    """The environment's own Python."""
    return os.path.join(folder, "bin", "python")


def add_pip(folder):
    """pip's wheel installs itself; OSError or ValueError when it cannot be had."""
    with tempfile.TemporaryDirectory() as place:
        wheel = fetch_pip(place)
        words = (
            inside(folder),
            os.path.join(wheel, "pip"),
            "install",
            *QUIET,
            "--no-index",
            "--no-deps",
            wheel,
        )
        if subprocess.run(words, check=False).returncode != 0:
            raise ValueError("its wheel does not install itself")


def fetch_pip(place):
    """The path of the newest pip wheel of the index, its hash compared."""
    page = index_url().rstrip("/") + "/pip/"
    wheels = Links()
    wheels.feed(read(page).decode("utf-8", "replace"))
    if not wheels.found:
        raise ValueError(f"{page} names no wheel of pip for this Python")
    _, link = max(wheels.found)
    address, _, fragment = urllib.parse.urljoin(page, link).partition("#")
    name, _, wanted = fragment.partition("=")
    data = read(address)
    if name not in hashlib.algorithms_guaranteed or hashlib.new(name, data).hexdigest() != wanted:
        raise ValueError("{} is not what the index says ({})".format(address, fragment or "no hash"))
    path = os.path.join(place, os.path.basename(urllib.parse.unquote(urllib.parse.urlparse(address).path)))
    with open(path, "wb") as file:
        file.write(data)
    return path


class Links(html.parser.HTMLParser):
    """The wheels of an index page that this Python takes: (version, link), no previews, nothing withdrawn."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        name = urllib.parse.urlparse(said.get("href") or "").path.rsplit("/", 1)[-1]
        if tag != "a" or not name.endswith("-py3-none-any.whl") or "data-yanked" in said:
            return
        version = name.split("-")[1].split(".")
        if all(part.isdigit() for part in version) and fits(said.get("data-requires-python") or ""):
            self.found.append((tuple(map(int, version)), said["href"]))


def fits(requirement):
    """Whether this Python is one of `>=3.9,!=3.10.*`; what is not understood does not hinder."""
    for part in requirement.replace(" ", "").split(","):
        if part.startswith(">=") and sys.version_info[:2] < tuple(
            int(n) for n in part[2:].split(".")[:2] if n.isdigit()
        ):
            return False
    return True


def read(address):
    """The bytes behind an address; OSError when they cannot be had."""
    certificates = os.environ.get("PIP_CERT") or configured("cert")
    context = ssl.create_default_context(cafile=certificates or None)
    with urllib.request.urlopen(address, timeout=60, context=context) as answer:
        return answer.read()


def index_url():
    """Where pip would look first."""
    return os.environ.get("PIP_INDEX_URL") or configured("index-url") or INDEX


def configured(name):
    """What pip's own configuration files say; the person's before the machine's."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    own = os.environ.get("PIP_CONFIG_FILE") or ""
    files = (
        own,
        home + "/pip/pip.conf",
        os.path.expanduser("~/.pip/pip.conf"),
        "/etc/pip.conf",
        "/etc/xdg/pip/pip.conf",
    )
    for file in filter(os.path.isfile, files):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("install", "global"):
            if parser.has_option(section, name):
                return parser.get(section, name).strip()
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
