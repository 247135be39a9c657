"""What an audit can say of SELinux by reading. Where the kernel has none, nothing of it concerns the host."""

from __future__ import annotations

from hashlib import sha256

from galvan.model import (
    HostFacts,
    Judgement,
    Rung,
    Severity,
    Snapshot,
    State,
    Unreadable,
    Verdict,
    check,
    holds,
    not_here,
)
from galvan.tips.selinux import apparmor
from galvan.tips.selinux.audit import DENIALS, concerns
from galvan.tips.selinux.facts import LABELS, PORTS, STATE, domain, kernel, labels_of, port_label
from galvan.tips.selinux.module import version_of
from galvan.tips.selinux.places import PORT_TYPE, ports, strange

HOME = "mysqld_t"
"""The server's domain, in every policy that has one."""


def absent(state: State) -> Judgement | None:
    """Why SELinux does not concern the host, if it does not."""
    if kernel(state) != "off":
        return None
    if state.get("container") == "yes":
        return not_here("a container, whose kernel runs no SELinux")
    if state.get("apparmor") == "on":
        return not_here("AppArmor is in charge of this kernel")
    return None if state.get("config") else not_here("no SELinux policy is installed, and the kernel runs none")


def running(state: State) -> Judgement | None:
    """As `absent`, and also where there is a policy that no kernel runs: of that one check speaks, and no other."""
    return absent(state) or (not_here("the kernel runs no SELinux") if kernel(state) == "off" else None)


@check("selinux.enforcing", Severity.HIGH, "SELinux refuses nothing", rung=Rung.ENFORCED, control="OS-09")
def enforcing(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A hole in the server is a hole in the host as long as nothing but file permissions stands around it. Permissive only takes notes;
    and what the configuration says counts at the next boot, whatever the kernel does now."""
    state = facts[STATE]
    if said := absent(state):
        return said
    now, later = kernel(state), str(state.get("config") or "")
    return holds(
        now == later == "enforcing",
        f"kernel={now}, SELINUX={later or '(no file)'}",
        "enforcing, in the kernel and in /etc/selinux/config",
    )


@check("selinux.domain", Severity.HIGH, "The server runs unconfined", rung=Rung.READY, control="OS-09")
def confined(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A binary without its label (a package from elsewhere, a copy) is started in whatever domain started it, mostly one that may do
    everything: SELinux then says enforcing and holds nobody back."""
    state = facts[STATE]
    if said := running(state):
        return said
    seen = domain(state)
    return holds(seen == HOME, f"{seen}, {state.get('exe')} is {state.get('binary')}", HOME)


@check("selinux.permissive-domain", Severity.HIGH, "A domain was left permissive", rung=Rung.ENFORCED, control="OS-09")
def permissive_domain(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A permissive domain is an exception for a day on which something is learnt. Left behind, the host says enforcing and the server is
    not held back. Some packages leave one by themselves."""
    state = facts[STATE]
    if said := running(state):
        return said
    left = sorted(key.partition(".")[2] for key in state if key.startswith("permissive.") and "mysqld" in key)
    return holds(not left, f"permissive: {', '.join(left)}" if left else "none of the server's", "no permissive domain")


@check(
    "selinux.ports",
    Severity.HIGH,
    "Ports of the cluster carry another program's label",
    rung=Rung.READY,
    control="OS-10",
)
def port_labels(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A policy knows 3306 and none of the group's ports, of which one is called Kerberos's: the server starts, and a member cannot join or
    cannot be fed."""
    state = facts[STATE]
    if said := running(state):
        return said
    bad = [f"{port}/{kind} ({what}) is {label}" for kind, port, what, label in mislabelled(facts)]
    return holds(not bad, ", ".join(bad) or "all of the server's are", f"{PORT_TYPE} for each")


def mislabelled(facts: HostFacts) -> list[tuple[str, int, str, str]]:
    policy, own = facts[PORTS], facts[STATE]
    known: State = {**own, **policy}
    found = [(kind, port, what, port_label(known, kind, port)) for kind, port, what in ports(facts)]
    return [one for one in found if one[3] != PORT_TYPE]


@check("selinux.labels", Severity.HIGH, "Files of the server carry the wrong label", rung=Rung.READY, control="OS-09")
def file_labels(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A file keeps the label that it was born with when it is moved, and a directory that the policy does not know has none of the
    server's: once SELinux enforces, the server cannot read its data, its log or its key."""
    if said := running(facts[STATE]):
        return said
    bad = [
        f"{path} is {kind}, and should be {good}"
        for path, kind, good in (*labels_of(facts[LABELS]).wrong, *strange(facts))
    ]
    more = f" and {len(bad) - 4} more" if len(bad) > 4 else ""
    return holds(
        not bad, "; ".join(bad[:4]) + more if bad else "as the policy has them", "labels that the server may use"
    )


@check(
    "selinux.booleans", Severity.MEDIUM, "A boolean opens more than the server needs", rung=Rung.READY, control="OS-09"
)
def wide_boolean(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """`mysql_connect_any` is the quick answer to a port without a label, and lets the server dial every port of every host: just what
    whoever breaks into it wants next."""
    state = facts[STATE]
    if said := running(state):
        return said
    seen = state.get("boolean.mysql_connect_any")
    if seen is None:
        return not_here("this policy has no such boolean")
    return holds(
        seen == "0", f"mysql_connect_any={'off' if seen == '0' else 'on'}", "off, and the cluster's own ports labelled"
    )


@check("selinux.hidden", Severity.LOW, "Denials are shown that should be silent", rung=Rung.ENFORCED, control="OS-09")
def noisy(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """`semodule -DB` shows what a policy refuses without a word, for as long as something is learnt. Left so, harmless refusals fill the
    audit log until nobody reads it."""
    state = facts[STATE]
    if said := running(state):
        return said
    return holds(state.get("dontaudit") == "on", f"dontaudit rules are {state.get('dontaudit')}", "on (semodule -B)")


@check(
    "selinux.one-module", Severity.MEDIUM, "Hosts run different learnt policies", rung=Rung.ENFORCED, control="OS-09"
)
def one_module(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """What one member may do and another may not shows on the day on which the other one has to feed a joiner."""
    state = facts[STATE]
    if said := running(state):
        return said
    mine = str(state.get("module") or "none")
    if (built := snapshot.cluster.learnt) and (want := sha256(built.encode()).hexdigest()) != mine:
        return holds(
            False, f"{mine[:12]} is installed", f"{want[:12]}, version {version_of(built)} that was built last"
        )
    others = {f.host.name: _module(f) for f in snapshot.hosts if f.host.role is facts.host.role and f is not facts}
    differ = sorted(name for name, module in others.items() if module not in (mine, ""))
    return holds(
        not differ,
        f"{mine[:12]}, other than on {', '.join(differ)}" if differ else mine[:12],
        "one module on all hosts",
    )


def _module(facts: HostFacts) -> str:
    """Empty where the host has no SELinux, or does not say: that is for its own checks."""
    try:
        return "" if running(facts[STATE]) else str(facts[STATE].get("module") or "none")
    except Unreadable:
        return ""


@check("selinux.denials", Severity.MEDIUM, "The server was refused something", rung=Rung.OPEN, control="OS-11")
def denied(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Each denial is either an attack or something that the server needs and does not get: a transfer that hangs, a log that stays empty.
    In permissive mode it is what enforcing would break."""
    state = facts[STATE]
    if kernel(state) == "off" and state.get("apparmor") != "on":
        return absent(state) or not_here("the kernel runs no SELinux")
    found = [d for d in facts[DENIALS].denials if concerns(d)]
    names = sorted({f"{d.process} {'/'.join(sorted(d.permissions))} {d.object or d.kind}" for d in found})
    if kernel(state) == "off":
        return apparmor.denied(found, names)
    seen = f"{len(found)} in the last day or since the module: {', '.join(names[:3])}" if found else "none"
    return holds(not found, seen, "no denial of the server's")


@check(
    "selinux.apparmor", Severity.MEDIUM, "AppArmor does not hold the server back", rung=Rung.ENFORCED, control="OS-12"
)
def profile_enforced(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """On Debian and Ubuntu the packaged profile of MariaDB is empty on purpose, so the server is as free as any program, although
    AppArmor runs."""
    state = facts[STATE]
    if kernel(state) != "off":
        return not_here("SELinux is in charge of this kernel")
    if state.get("apparmor") != "on":
        return not_here("the kernel runs no AppArmor")
    seen = str(state.get("context") or "")
    if not seen:
        return Judgement(
            Verdict.UNKNOWN, "no server runs there, so nobody can say under which profile", "a profile in enforce mode"
        )
    return holds(seen.endswith("(enforce)"), f"the server runs {seen}", "a profile in enforce mode")


CHECKS = (
    enforcing, confined, permissive_domain, port_labels, file_labels, wide_boolean, noisy, one_module, denied, profile_enforced,
)  # fmt: skip
