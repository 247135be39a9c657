"""Hosts as containers that boot systemd (and guests, which are much like them): made, given their identity, looked at, removed."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from galvan.lab import guests
from galvan.lab.odd import environment
from galvan.lab.paths import called, name, write_private
from galvan.lab.podman import File, container, execute, podman, put, run, together
from galvan.lab.recipes import Recipe
from galvan.lab.topology import Host, Lab

LABEL = "galvan.lab"
KEY_TYPES = ("ed25519", "ecdsa")
DBA = 1000
PRIVILEGES = ("--systemd=always", "--cap-add", "NET_ADMIN,NET_RAW,SYS_ADMIN,SYS_PTRACE,AUDIT_WRITE", "--restart=always")
LIMITS = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000")
# podman lays a tmpfs over the journal of a systemd container, which a reboot would empty; a volume comes before it
JOURNAL = ("--volume", "/var/log/journal")
BOOTED = """
tries=0
until systemctl is-active --quiet ssh 2>/dev/null; do
  tries=$((tries + 1)); [ $tries -lt 150 ] || { systemctl status ssh 2>&1 | tail -5 >&2; exit 1; }
  sleep 0.2
done"""


def _mine() -> str:
    """The label of what belongs to the lab of this name. Never an empty value: podman takes one for any value."""
    return f"galvan.lab.name={name() or '-'}"


def make(lab: Lab, images: Iterable[Recipe]) -> None:
    """A fresh network and fresh hosts, booted, each with keys of its own; nothing of the cluster yet."""
    family = ("--ipv6",) if lab.options.ipv6 else ()
    podman(
        "network", "create", "--disable-dns", *family, "--label", f"{LABEL}={lab.state}", "--label", _mine(), "--subnet", lab.options.subnet,
        called("galvan-lab"),
        what=f"the network {lab.options.subnet} could not be made (is it in use on this machine?)",
    )  # fmt: skip
    kinds = {(recipe.name, recipe.release): recipe for recipe in images}
    public = _operator_key(lab)
    lines = []
    for some in ([host for host in lab.hosts if not host.guest], lab.guests):  # the first container brings the bridge
        lines += together(lambda host: _make_one(lab, host, kinds[host.image, host.release], public), some)
    write_private(lab.known_hosts, "".join(lines))
    write_private(lab.ssh_config, ssh_config(lab))
    for guest in lab.guests:  # one after the other costs nothing, and an interruption is not held up by threads
        guests.booted(guest)
    together(lambda host: execute(host.name, BOOTED, limit=60), lab.hosts)
    if lab.options.ipv6:  # podman adds an IPv4 address of its own accord
        together(lambda host: execute(host.name, "ip -4 addr flush dev eth0"), lab.hosts)


def _make_one(lab: Lab, host: Host, recipe: Recipe, public: str) -> str:
    """Create, place files, start; returns the host's lines for known_hosts."""
    keys = _host_keys(host)
    files = (*keys, *_identity(lab, public))
    if host.guest:
        guests.boot(lab, host, recipe, files)
    else:
        _contain(lab, host, recipe, files)
    published = [key.text.split()[:2] for key in keys if key.path.endswith(".pub")]
    return "".join(f"{host.name},{host.address} {kind} {blob}\n" for kind, blob in published)


def _contain(lab: Lab, host: Host, recipe: Recipe, files: Iterable[File]) -> None:
    podman(
        "create", "--name", container(host.name), "--hostname", host.name, "--label", f"{LABEL}={lab.state}", "--label", _mine(),
        "--network", called("galvan-lab"), "--ip6" if lab.options.ipv6 else "--ip", host.address, "--no-hosts", *environment(lab, host), *PRIVILEGES, *LIMITS, *JOURNAL, recipe.image,
        what=f"{host.name}: the container could not be made",
    )  # fmt: skip
    put(host.name, files)
    podman("start", container(host.name), what=f"{host.name}: the container did not start")


def _identity(lab: Lab, public: str) -> tuple[File, ...]:
    names = "".join(f"{host.address}\t{host.name}\n" for host in lab.hosts)
    return (
        File("/etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444),
        File("/etc/hosts", f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n{names}"),
        File("/root/.ssh/authorized_keys", public, 0o600),
        File("/home/dba/.ssh/authorized_keys", public, 0o600, DBA),
    )


def _host_keys(host: Host) -> tuple[File, ...]:
    with tempfile.TemporaryDirectory(prefix="galvan-lab-") as folder:
        files = []
        for kind in KEY_TYPES:
            path = Path(folder) / f"ssh_host_{kind}_key"
            _keygen(path, kind, f"root@{host.name}")
            files.append(File(f"/etc/ssh/{path.name}", path.read_text(), 0o600))
            files.append(File(f"/etc/ssh/{path.name}.pub", path.with_suffix(".pub").read_text()))
    return tuple(files)


def _operator_key(lab: Lab) -> str:
    """The lab's own key pair; a reset keeps it."""
    if not lab.identity.exists():
        lab.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        _keygen(lab.identity, "ed25519", "galvan-lab")
    return lab.identity.with_suffix(".pub").read_text()


def _keygen(path: Path, kind: str, comment: str) -> None:
    run(("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path)), f"the SSH key {path} was not made")


def ssh_config(lab: Lab) -> str:
    """Pure: what `ssh -F` needs to reach every host by name."""
    common = (
        "    User root",
        f"    IdentityFile {lab.identity}",
        "    IdentitiesOnly yes",
        f"    UserKnownHostsFile {lab.known_hosts}",
        "    StrictHostKeyChecking yes",
    )
    blocks = ("\n".join((f"Host {host.name}", f"    HostName {host.address}", *common)) for host in lab.hosts)
    return "\n\n".join(blocks) + "\n"


def _listed(label: str) -> list[Any]:
    said = podman(
        "ps", "-a", "--filter", f"label={label}", "--format", "json", what="the containers could not be listed"
    )
    return list(json.loads(said or "[]"))


def containers() -> Mapping[str, str]:
    """Every container of this lab, with its state."""
    return {str(entry["Names"][0]): str(entry["State"]) for entry in _listed(_mine())}


def owner() -> Path | None:
    """The state directory of the lab of this name whose hosts are on this machine; it may be ours or another's."""
    owners = {str(entry["Labels"][LABEL]) for entry in _listed(_mine())}
    return Path(sorted(owners)[0]) if owners else None


def nobodys() -> bool:
    """Is no lab of any name on this machine?"""
    return not _listed(LABEL)


def missing(lab: Lab) -> tuple[str, ...]:
    """Hosts of this lab that are not running."""
    states = containers()
    present = {*guests.running(), *(name for name, state in states.items() if state == "running")}
    return tuple(host.name for host in lab.hosts if container(host.name) not in present)


def remove() -> None:
    """Take away all hosts and the network; harmless when nothing is there."""
    guests.remove()
    names = list(containers())
    if names:
        podman("rm", "-f", "-t", "0", "-v", *names, what="the lab's containers could not be removed")
    listed = podman(
        "network",
        "ls",
        "--filter",
        f"label={_mine()}",
        "--format",
        "{{.Name}}",
        what="no list of networks",
    )
    for network in listed.split():
        podman("network", "rm", "-f", network, what=f"the network {network} could not be removed")


def forget(state: Path, keep: Iterable[str] = ()) -> None:
    """Remove the state directory, or all of it but what is kept."""
    kept = set(keep)
    for path in state.glob("*"):
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if state.is_dir() and not kept:
        state.rmdir()
