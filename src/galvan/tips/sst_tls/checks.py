"""What an audit can say of state transfers by reading: how the next one would travel, and who may ask for which."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.dialects import Dialect, dialect
from galvan.cluster.facts import CONFIG, VARIABLES
from galvan.cluster.health import series, text
from galvan.cluster.transfer import BACKUP, OURS, RSYNC, End, Spoken, falls_back, method, spoken
from galvan.model import HostFacts, Judgement, Role, Rung, Severity, Snapshot, Unreadable, check, holds, not_here
from galvan.tips.sst_tls.facts import FIT, SCRIPTS, TOOLS, Script

GOOD = ("mariabackup", "xtrabackup-v2", "clone", OURS)
STALLS = {
    "mysqldump": "stops the donor for as long as it takes",
    "rsync": "keeps the donor from writing while it copies",
}


def by_itself(facts: HostFacts) -> bool:
    """PXC since 8.0 encrypts its transfers where it encrypts its group, and takes no other way."""
    seen = facts[VARIABLES]
    return dialect(seen) is Dialect.PXC and series(text(seen, "version")) >= (8, 0)


def carried(facts: HostFacts) -> Spoken | None:
    """None where the server sees to it by itself."""
    try:
        if by_itself(facts):
            return None
    except Unreadable:  # a member that cannot join has files all the same
        pass
    return spoken(facts)


def chosen(facts: HostFacts, snapshot: Snapshot) -> str:
    """The method that the policy asks for, else the one in use."""
    return snapshot.cluster.policy.sst.method or method(facts)


def needed(snapshot: Snapshot) -> set[str]:
    return {chosen(facts, snapshot) for facts in snapshot.having(Role.DATABASE)} | set(snapshot.cluster.policy.sst.also)


def needless(facts: HostFacts, snapshot: Snapshot) -> Iterator[Script]:
    """Scripts that no transfer of this cluster needs, under this name or another of the same file."""
    wanted, there = needed(snapshot), facts[SCRIPTS]
    files = {there[name].real for name in wanted & there.keys()}
    yield from (script for script in there.values() if script.real not in files)


def unused(facts: HostFacts, snapshot: Snapshot) -> list[Script]:
    """Those of them that would run for whoever asks."""
    return [script for script in needless(facts, snapshot) if script.runs]


@check("sst_tls.encrypted", Severity.CRITICAL, "State transfers travel in clear text", rung=Rung.READY, control="GA-12")
def encrypted(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A full transfer carries every table, password hashes and all, over port 4444. Replication TLS does not cover it: it is
    encrypted by settings of its own, or not at all."""
    if (seen := carried(facts)) is None:
        on = text(facts[VARIABLES], "pxc_encrypt_cluster_traffic")
        return holds(on == "ON", f"pxc_encrypt_cluster_traffic={on}", "pxc_encrypt_cluster_traffic=ON")
    if seen.method == "mysqldump":
        forced = text(facts[VARIABLES], "require_secure_transport")
        said = f"wsrep_sst_method=mysqldump, require_secure_transport={forced}"
        return holds(forced == "ON", said, "a joiner that takes no clear text (require_secure_transport=ON)")
    return holds(seen.encrypted, seen.said, "encrypt=4 (mariabackup), ssl-mode=VERIFY_CA (rsync)")


@check(
    "sst_tls.peer-verified", Severity.HIGH, "Whoever answers on 4444 gets the data, or gives it", rung=Rung.ENFORCED,
    control="GA-13",
)  # fmt: skip
def peer_verified(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Encryption without a look at the other side's certificate keeps out who listens, not who answers: a stranger in the
    joiner's place takes the whole copy, one in the donor's place puts his own in."""
    if (seen := carried(facts)) is None:
        return not_here("PXC asks for a certificate of its own authority")
    if seen.method == "mysqldump":
        return not_here("mysqldump logs in at the joiner; its client's own options say whom it trusts")
    return holds(seen.verified, seen.said, "an authority that both ends are judged by")


@check(
    "sst_tls.no-legacy-mode",
    Severity.HIGH,
    "An old way of encrypting transfers is set",
    rung=Rung.ENFORCED,
    control="GA-14",
)
def no_legacy_mode(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """encrypt=1 is one shared secret that stands in a file and, with encrypt-key, on a command line; encrypt=2 wants key and
    certificate in one file. PXC takes neither since 8.0, and neither proves who is at the other end."""
    if (seen := carried(facts)) is None:
        return not_here("PXC since 8.0 knows encrypt=4 alone")
    return holds(seen.encrypt not in (1, 2), f"encrypt={seen.encrypt}", "encrypt=4")


@check(
    "sst_tls.one-way",
    Severity.CRITICAL,
    "Members do not understand each other's transfers",
    rung=Rung.READY,
    control="CF-23",
)
def one_way(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """There is no way to speak both: a member that wants TLS from a donor that does not gets nothing, tries again every few
    seconds, takes each donor in turn out of service meanwhile, and never joins. Even an incremental transfer fails."""
    mine = carried(facts)
    others = {f.host.name: carried(f) for f in snapshot.having(Role.DATABASE) if f.host != facts.host}
    if mine is None:
        return not_here("PXC since 8.0 sees to it by itself")
    strange = {name: seen for name, seen in others.items() if seen and seen.talks != mine.talks}
    named = "; ".join(f"{name}: {seen.said}" for name, seen in strange.items())
    return holds(not strange, f"here: {mine.said}" + (f"; {named}" if named else ""), "the same on every member")


@check(
    "sst_tls.method",
    Severity.MEDIUM,
    "Transfers are made by a method that stops the donor",
    rung=Rung.OPEN,
    control="GA-15",
)
def good_method(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """mysqldump locks the donor, logs in at the joiner as an account with every right, and replays all statements; rsync
    keeps the donor read-only while files are copied. A physical backup does neither."""
    seen = method(facts)
    why = STALLS.get("rsync" if seen in RSYNC else seen, "is none of the methods that are known to be good")
    return holds(seen in GOOD, f"wsrep_sst_method={seen}" + ("" if seen in GOOD else f" {why}"), " or ".join(GOOD))


@check(
    "sst_tls.unused-methods",
    Severity.HIGH,
    "A donor serves methods that no transfer needs",
    rung=Rung.ENFORCED,
    control="GA-14",
)
def unused_methods(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who asks for a transfer names the method, and the donor runs wsrep_sst_METHOD for it. So every script that lies there is
    a door, whatever wsrep_sst_method says: mysqldump makes the donor log in wherever it is told to."""
    found = [script.path for script in unused(facts, snapshot)]
    left = ", ".join(sorted(name for name, script in facts[SCRIPTS].items() if script.runs))
    return holds(
        not found, f"{', '.join(found)} can be run" if found else f"only {left}", "no script but the one in use"
    )


@check("sst_tls.tools", Severity.HIGH, "A tool for encrypted transfers is missing", rung=Rung.READY, control="OS-16")
def tools(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Encryption is done by other programs: socat built with OpenSSL for a backup, stunnel for rsync. Without them a transfer
    fails when it is needed, or in older versions goes on in clear text."""
    name = chosen(facts, snapshot)
    missing = [*lacking(facts, name)]
    asked = [facts[SCRIPTS].get(each) for each in sorted({name, *snapshot.cluster.policy.sst.also})]
    missing += [f"the server's user may not run {script.path}" for script in asked if script and not script.runs]
    return holds(not missing, "; ".join(missing) or "all there", "socat with OpenSSL, or rsync and stunnel")


def lacking(facts: HostFacts, name: str) -> Iterator[str]:
    """What Galvan cannot bring."""
    seen = facts[TOOLS]
    if name != OURS and name not in facts[SCRIPTS]:
        yield f"there is no wsrep_sst_{name}"
    if name in (*BACKUP, OURS) and seen.get("socat_tls") != "yes":
        yield f"socat {'has no OpenSSL' if seen.get('socat_tls') == 'no' else 'is not installed'}"
    if name in (*RSYNC, OURS) and seen.get("rsync") != "yes":
        yield "rsync is not installed"
    if name in RSYNC and seen.get("stunnel") != "yes":
        yield "stunnel is not installed"
    if name == "mariabackup" and seen.get("mariabackup") != "yes":
        yield "mariabackup is not installed"
    elif name == "mariabackup" and seen.get("options") != "yes":
        yield f"no backup begins: {seen.get('options')} (in [mariabackup] or [xtrabackup]: write it to [sst], or with loose- before it)"


@check(
    "sst_tls.no-silent-fallback",
    Severity.HIGH,
    "Transfers fall back to clear text without a word",
    rung=Rung.ENFORCED,
    control="CF-02",
)
def no_silent_fallback(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Scripts before 10.6.28, 10.11.19, 11.4.13, 11.8.9 and 12.3.3 send everything in clear where stunnel or the certificate is
    missing, though TLS was asked for (MDEV-28233). A removed package is then enough."""
    seen = facts[VARIABLES]
    version = text(seen, "version").split("-", 1)[0]
    if dialect(seen) is not Dialect.MARIADB:
        return not_here(f"{dialect(seen)} has other scripts")
    if (name := method(facts)) not in RSYNC:
        return not_here(f"wsrep_sst_method={name}; encrypt=4 ends where it cannot be had")
    excused = snapshot.cluster.policy.sst.older_scripts
    said = f"{version}" + (", taken by name in the policy" if excused and falls_back(version) else "")
    return holds(excused or not falls_back(version), said, "10.6.28, 10.11.19, 11.4.13, 11.8.9, 12.3.3 or later")


@check(
    "sst_tls.material-fits",
    Severity.HIGH,
    "A transfer's key and certificate do not fit",
    rung=Rung.READY,
    control="GA-12",
)
def material_fits(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The script makes these checks when a member needs its data, and ends there: readable for the server's user, the key is
    the certificate's, the authority accepts it. A transfer is no moment to find that out."""
    if (seen := carried(facts)) is None or not (seen.encrypted and any(end.certificate for end in seen.ends)):
        return not_here("no transfer reads a certificate")
    wrong, fit = [*unfit(facts)], " and ".join(dict.fromkeys(end.certificate for end in seen.ends))
    return holds(not wrong, "; ".join(wrong) or f"{fit} fits", "readable, one pair, accepted by its authority")


def unfit(facts: HostFacts) -> Iterator[str]:
    """As the joiner, which is the server of the connection, and as the donor."""
    ends = zip(spoken(facts).ends, ("sslserver", "sslclient"), strict=True)
    yield from dict.fromkeys(wrong for end, purpose in ends for wrong in _wrong(end, purpose, facts))


def _wrong(end: End, purpose: str, facts: HostFacts) -> Iterator[str]:
    if not end.whole:
        yield f"no certificate and key are named for its end as the {'joiner' if purpose == 'sslserver' else 'donor'}"
        return
    if (fit := facts[FIT].get(end)) is None:
        raise Unreadable(f"{end.certificate} of {facts.host.name} was not looked at")
    if fit.get("readable") != "yes":
        yield f"{end.certificate} or {end.key} cannot be read by the server's user"
        return
    if fit.get("fits") != "yes":
        yield f"{end.key} is not the key of {end.certificate}"
    if end.ca and fit.get(purpose) != "yes":
        yield f"{end.ca} does not accept it as {purpose}: {fit.get(purpose)}"


def rivals(facts: HostFacts) -> list[str]:
    """Lines of `[mysqld]` that the scripts read before `[sst]`."""
    config = facts[CONFIG]
    return [name for name in ("encrypt", "ssl_mode") if name in config]


CHECKS = (
    encrypted, peer_verified, no_legacy_mode, one_way, good_method, unused_methods, tools, no_silent_fallback, material_fits,
)  # fmt: skip
