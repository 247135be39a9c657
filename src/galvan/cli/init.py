"""`galvan init HOST`: writes galvan.yaml from what the cluster itself says."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from galvan.app.discover import Found, run
from galvan.cli import OK
from galvan.cli.output import Output
from galvan.edges.connections import UnknownKey
from galvan.edges.hostkeys import fingerprint_of, remember
from galvan.edges.inventory import dump
from galvan.model import BadInput, Cluster, ProbeAccount, Role, SecretRef, WrongUsage

_ROLES = {
    "arbitrator": Role.ARBITRATOR,
    "load_balancer": Role.LOAD_BALANCER,
    "application": Role.APPLICATION,
    "outsider": Role.OUTSIDER,
}


def init(words: argparse.Namespace, out: Output) -> int:
    file: Path = words.cluster
    if words.inventory:
        raise WrongUsage(
            f"init asks the cluster itself; with an inventory it is not needed: galvan audit --inventory {words.inventory}, "
            "or a galvan.yaml of two lines (cluster: NAME, inventory: FILE). Else leave --inventory and GALVAN_INVENTORY away"
        )
    if file.exists() and not words.force:
        raise BadInput(f"{file} is already there: name another with --cluster, or write over it with --force")
    given = {role: getattr(words, name) for name, role in _ROLES.items()}
    found = _discover(words, given)
    cluster = _probe(found.cluster, words)
    new = file.with_suffix(".new")
    new.write_text(
        "# Written by galvan init from what the cluster said; review it, and keep it with your code.\n" + dump(cluster)
    )
    new.replace(file)
    for host in cluster.hosts:
        out.line(f"{host.role.value:<14} {host.name:<12} {host.address}")
    for note in found.notes:
        out.line(note)
    out.line(f"wrote {file}; next: galvan audit")
    out.close()
    return OK


def _discover(words: argparse.Namespace, given: dict[Role, list[str]]) -> Found:
    """A host that ssh does not know yet is shown and asked about, one after another."""
    asked: set[str] = set()
    while True:
        try:
            return run(words.host, words.ssh_config, given, words.name)
        except UnknownKey as why:
            host = why.alias
            if host in asked or words.no_input or not sys.stdin.isatty():
                raise
            asked.add(host)
            key = fingerprint_of(host, words.ssh_config)
            print(f"{host} is not known yet. It shows the key\n  {key.algorithm} {key.fingerprint}")
            if input("Compare it with what its console shows. Trust it? (yes/no) ").strip() != "yes":
                raise
            remember(key)


def _probe(cluster: Cluster, words: argparse.Namespace) -> Cluster:
    if not words.probe_user:
        return cluster
    if not words.probe_password_file:
        raise BadInput("--probe-user needs --probe-password-file")
    return replace(
        cluster,
        probe=ProbeAccount(words.probe_user, SecretRef(f"file:{words.probe_password_file.expanduser().absolute()}")),
    )
