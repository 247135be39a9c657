"""A Debian root file system from packages, without a registry: mmdebstrap and this machine's own package sources."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from galvan.lab.errors import LabError
from galvan.lab.podman import run, tarball
from galvan.lab.recipes import Recipe

APT = Path("/etc/apt")
# a data directory with a small redo log is a small image and a fast start
SMALL = "[mysqld]\\ninnodb_log_file_size=16M\\n"
SKIPPED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
ACQUIRE = re.compile(r'^Acquire::(Check-|Retries|ForceIPv|https?::|socks::)\S* "[^"]+";$')


def bootstrap(recipe: Recipe, target: Path) -> None:
    """Make the recipe's root file system; the target's name says how: a tarball, or a directory."""
    with tempfile.TemporaryDirectory(prefix="galvan-lab-") as folder:
        run(
            _mmdebstrap(recipe, Path(folder), target),
            f"building the {recipe.name} image for {recipe.release}",
            limit=1800,
        )


def _mmdebstrap(recipe: Recipe, folder: Path, tar: Path) -> list[str]:
    """The command line; its inputs are written into `folder`."""
    (folder / "files.tar").write_bytes(tarball(recipe.files))
    (folder / "finish.sh").write_text(recipe.finish)
    (folder / "apt.conf").write_text(_apt_settings())
    hook = shlex.quote(str(folder / "finish.sh"))
    small = f'mkdir -p "$1/etc/mysql/mariadb.conf.d" && printf "{SMALL}" >"$1/etc/mysql/mariadb.conf.d/05-small.cnf"'
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--aptopt={folder / 'apt.conf'}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in SKIPPED),
        f"--essential-hook={small}",
        f"--customize-hook=tar-in {shlex.quote(str(folder / 'files.tar'))} /",
        f'--customize-hook=chroot "$1" sh -s <{hook}',
        f"--include={','.join(recipe.packages)}",
        recipe.release,
        str(tar),
        *_write_sources(recipe.release, folder),
    ]


def _apt_settings() -> str:
    """How this machine reaches its mirrors (proxies, date checks), as apt itself tells it."""
    try:
        dumped = run(("apt-config", "dump"), "the machine's apt settings could not be read")
    except LabError:  # not a Debian machine: apt's defaults are right
        return ""
    return "".join(f"{line}\n" for line in dumped.splitlines() if ACQUIRE.match(line))


def _write_sources(release: str, folder: Path) -> list[str]:
    """This machine's own Debian sources, turned to the wanted release. Raises LabError where it has none."""
    codename = _os_release().get("VERSION_CODENAME", "")
    texts = {
        path: path.read_text()
        for path in sorted([APT / "sources.list", *APT.glob("sources.list.d/*")])
        if path.is_file()
    }
    found = {
        "machine.list": one_line(codename, release, (t for p, t in texts.items() if p.suffix == ".list")),
        "machine.sources": deb822(codename, release, (t for p, t in texts.items() if p.suffix == ".sources")),
    }
    if _os_release().get("ID") != "debian" or not any(found.values()):
        raise LabError(
            "this machine has no Debian package sources in /etc/apt, and the lab's images are made from those"
        )
    for name, text in found.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name, text in found.items() if text]


def one_line(codename: str, release: str, texts: Iterable[str]) -> str:
    """Pure: the `deb` lines of the machine's own release, for another release."""
    wanted = re.compile(rf"^\s*deb\s+(\[[^]]*\]\s+)?\S+\s+{re.escape(codename)}(-\S+)?\s")
    lines = [line for text in texts for line in text.splitlines() if wanted.match(line)]
    return "".join(re.sub(rf"\s{re.escape(codename)}\b", f" {release}", line) + "\n" for line in lines)


def deb822(codename: str, release: str, texts: Iterable[str]) -> str:
    """Pure: the stanzas whose suites are all of the machine's own release, for another release."""
    kept = []
    for text in texts:
        plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        for stanza in re.split(r"\n\s*\n", plain.strip()):
            suites = re.search(r"^Suites:(.*)$", stanza, re.MULTILINE)
            names = suites.group(1).split() if suites else []
            if names and all(name == codename or name.startswith(f"{codename}-") for name in names):
                renewed = " ".join(release + name.removeprefix(codename) for name in names)
                kept.append(re.sub(r"^Suites:.*$", f"Suites: {renewed}", stanza, flags=re.MULTILINE))
    return "".join(f"{stanza}\n\n" for stanza in kept)


def _os_release() -> Mapping[str, str]:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
