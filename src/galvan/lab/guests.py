"""Database hosts as guests of qemu: a kernel of their own, which SELinux and AppArmor need. Emulated, so slow, and never part of a timing."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import signal
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from galvan.lab import disks
from galvan.lab.errors import LabError
from galvan.lab.paths import called, guest_dir
from galvan.lab.podman import File, container, into, podman, run, tarball, together
from galvan.lab.recipes import Recipe
from galvan.lab.topology import Host, Lab

NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "mke2fs": "e2fsprogs", "ip": "iproute2"}
MEMORY = 768
BOOT_LIMIT = 240.0
# of the processors that Debian runs on, the one whose instructions cost least to emulate
MACHINE = (
    "-machine", "q35", "-accel", "tcg,thread=single,tb-size=256", "-cpu", "Nehalem", "-smp", "1", "-m", str(MEMORY),
    "-nodefaults", "-no-user-config", "-display", "none", "-device", "virtio-rng-pci",
)  # fmt: skip
KERNEL = "console=ttyS0 root=/dev/vda quiet net.ifnames=0 mitigations=off security={guard} galvan.address={address} galvan.gateway={gateway}"


def boot(lab: Lab, host: Host, recipe: Recipe, files: Iterable[File]) -> None:
    """A fresh disk over the recipe's, the host's own files beside it, and a network card that goes when qemu goes."""
    folder = guest_dir(host.name)
    folder.mkdir(mode=0o700, parents=True)
    base = disks.base(recipe)
    card = f"gv{zlib.crc32(container(host.name).encode()):08x}"
    what = f"{host.name}: the guest could not be made"
    own = (*files, File("/etc/hostname", f"{host.name}\n"))
    identity = folder / "files.tar"
    identity.touch(mode=0o600)
    identity.write_bytes(tarball(own))
    run(
        ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base.disk), str(folder / "disk.qcow2")), what
    )
    run(("qemu-system-x86_64", *_argv(lab, host, base, card)), what)
    run(("ip", "link", "set", card, "master", _bridge(), "up"), what)


def reboot(host: Host, guard: str) -> None:
    """The same disk under a kernel with another guard, or with none where it knows none of that name. The power goes in between, so what runs
    there is to be stopped before."""
    process = running()[container(host.name)]
    words = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")[:-1]
    card = next(word for word in words if word.startswith("tap,")).partition("ifname=")[2].partition(",")[0]
    what = f"{host.name}: the guest could not be started again"
    _end(process)
    run([re.sub(r"\bsecurity=\S+", f"security={guard}", word) for word in words], what)
    run(("ip", "link", "set", card, "master", _bridge(), "up"), what)
    booted(host)


def _argv(lab: Lab, host: Host, base: disks.Base, card: str) -> tuple[str, ...]:
    """Pure but for the paths: what qemu is told."""
    folder, network = guest_dir(host.name), ipaddress.ip_network(lab.options.subnet)
    address = f"{host.address}/{network.prefixlen}"
    said = KERNEL.format(guard=host.guest, address=address, gateway=network.network_address + 1)
    mac = ":".join(card[2 + at : 4 + at] for at in (2, 4, 6))
    return (
        "-name", container(host.name), *MACHINE, "-serial", f"file:{folder / 'console'}",
        "-kernel", str(base.kernel), "-initrd", str(base.initrd), "-append", said,
        "-drive", f"file={folder / 'disk.qcow2'},if=virtio,format=qcow2,cache=unsafe",
        "-drive", f"file={folder / 'files.tar'},if=virtio,format=raw,readonly=on",
        "-netdev", f"tap,id=net,ifname={card},script=no,downscript=no",
        "-device", f"virtio-net-pci,netdev=net,romfile=,mac=52:54:00:{mac}",
        "-pidfile", str(folder / "pid"), "-daemonize",
    )  # fmt: skip


def _bridge() -> str:
    """Of the lab's network; it is there while one of the containers runs."""
    what = "the lab's bridge could not be found"
    return podman("network", "inspect", "-f", "{{.NetworkInterface}}", called("galvan-lab"), what=what).strip()


def booted(host: Host) -> None:
    """Until it lets the operator in."""
    deadline = time.monotonic() + BOOT_LIMIT
    while True:
        try:
            run((*into(host.name), "true"), f"{host.name}: no login", limit=60)
            return
        except LabError:
            if time.monotonic() > deadline or container(host.name) not in running():
                raise LabError(f"{host.name}: the guest did not come up: {_console(host)}") from None
        time.sleep(1)


def _console(host: Host) -> str:
    try:
        lines = (guest_dir(host.name) / "console").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return "it never wrote to its console"
    return " | ".join(line for line in lines[-4:] if line) or "its console is empty"


def running() -> Mapping[str, int]:
    """Every guest of this lab, with its process: found by name among the machine's processes, so that none is ever lost."""
    mine = re.compile(rf"{re.escape(called('galvan-lab'))}-[a-z0-9]+")
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[0].endswith("qemu-system-x86_64") and "-name" in words:
            name = words[words.index("-name") + 1]
            if mine.fullmatch(name):
                found[name] = int(path.parent.name)
    return found


def remove() -> None:
    """End every guest; what they wrote goes with them, and the kernel takes their network cards away."""
    together(_end, running().values())
    shutil.rmtree(guest_dir(""), ignore_errors=True)


def _end(process: int) -> None:
    for signalled in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(process, signalled)
        except ProcessLookupError:
            return
        for _ in range(50):
            if not Path(f"/proc/{process}").exists():
                return
            time.sleep(0.1)
    raise LabError(f"the guest with process {process} does not end: look at it with `ps -fp {process}`")
