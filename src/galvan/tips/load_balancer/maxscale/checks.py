"""What an audit can say of a MaxScale by reading. Plain judgements: the core lifts them into checks where a balancer's kind is maxscale."""

from __future__ import annotations

from collections.abc import Iterable

from galvan.model import HostFacts, Judgement, Role, Snapshot, Verdict, holds, not_here
from galvan.tips.load_balancer.maxscale.facts import DOOR, Config, Section, config_of
from galvan.tips.load_balancer.maxscale.versions import Firewall, firewall, said, spoken

_LOCAL = {"127.0.0.1", "::1", "localhost"}


def _older(config: Config, section: Section, least: str) -> str:
    old = sorted(each for each in spoken(config.version, section.get("ssl_version")) if each < least)
    return f"speaks {old[0]}" if old else ""


def lacking(config: Config, server: Section, least: str) -> str:
    """What it lacks to be reached over TLS and verified; empty for nothing."""
    if not server.on("ssl"):
        return "without TLS"
    for name in ("ssl_verify_peer_certificate", "ssl_verify_peer_host"):
        if not server.on(name):
            return f"{name} is off"
    if not (server.get("ssl_ca") or server.get("ssl_ca_cert")):
        return "no ssl_ca: any authority of the system would do"
    return _older(config, server, least)


def _judged(wrong: Iterable[str], good: str, want: str) -> Judgement:
    found = list(wrong)
    return holds(not found, "; ".join(found[:6]) or good, want)


def used(config: Config) -> tuple[Section, ...]:
    """Services that some listener leads to: of the others no client hears."""
    led = {listener.get("service") for listener in config.of_type("listener")}
    return tuple(service for service in config.of_type("service") if service.name in led)


def members_tls(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-01. Behind the balancer passwords and data travel once more. TLS without a verified peer and name is open to whoever stands between."""
    config = config_of(facts)
    servers = config.of_type("server")
    if not servers:
        return not_here("MaxScale has no servers")

    found = [
        f"{server.name}: {why}"
        for server in servers
        if (why := lacking(config, server, snapshot.cluster.policy.min_tls))
    ]
    return _judged(
        found,
        f"TLS to {len(servers)} servers, peer and name verified",
        "TLS to every server, ssl_ca, peer and host verified",
    )


def plain_listeners(config: Config) -> tuple[Section, ...]:
    """Those that clients reach over the network in clear text."""
    return tuple(
        each
        for each in config.of_type("listener")
        if not each.on("ssl") and not each.get("socket") and each.get("address") not in _LOCAL
    )


def front_tls(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-02. A listener of MaxScale's takes TLS or clear text, never both: one without TLS serves everybody in clear."""
    config = config_of(facts)
    listeners = [each for each in config.of_type("listener") if not each.get("socket")]
    found = [f"{each.name} ({each.get('port')}): clear text" for each in plain_listeners(config)]
    found += [
        f"{each.name}: {old}"
        for each in listeners
        if each.on("ssl") and (old := _older(config, each, snapshot.cluster.policy.min_tls))
    ]
    return _judged(found, f"{len(listeners)} listeners, TLS only", "every listener with ssl=true and no old version")


def old_doors(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-06. A listener beside the door may lead to a service without its limits and without its filters."""
    policy = snapshot.cluster.policy.load_balancer
    doors = {str(policy.door), str(policy.read_door)}
    found = [
        f"{each.name} ({each.get('port') or '3306'})"
        for each in config_of(facts).of_type("listener")
        if not each.get("socket") and each.get("address") not in _LOCAL and (each.get("port") or "3306") not in doors
    ]
    return holds(not found, ", ".join(found) or "none", "one door")


def default_admin(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-03. Whoever is let in with the password of the manual may send clients to a server of his own. Tried on the host itself."""
    core, want = config_of(facts).core, "another administrator; admin/mariadb refused"
    if core.get("admin_enabled").lower() in ("false", "off", "no", "0"):
        return Judgement(Verdict.PASS, "the REST interface is switched off", want)
    if core.get("admin_auth").lower() in ("false", "off", "no", "0"):
        return Judgement(Verdict.FAIL, "admin_auth is off: nobody is asked for a password", want)
    tried = str(facts[DOOR].get("default_login") or "unknown")
    seen = {"yes": "admin/mariadb gets in", "no": "admin/mariadb is refused"}.get(
        tried, "whether admin/mariadb gets in could not be tried"
    )
    return Judgement({"yes": Verdict.FAIL, "no": Verdict.PASS}.get(tried, Verdict.UNKNOWN), seen, want)


def administration_closed(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-04. The REST interface is for this host: over the network it is one password away from everybody."""
    host = config_of(facts).core.get("admin_host") or "127.0.0.1"
    sockets = [each.rpartition(":")[0].strip("[]") for each in str(facts[DOOR].get("sockets") or "").split()]
    outside = sorted(
        {each for each in sockets if each.removeprefix("::ffff:") not in _LOCAL and not each.startswith("127.")}
    )
    if outside:
        return Judgement(Verdict.FAIL, f"the REST interface listens on {', '.join(outside)}", "127.0.0.1")
    return holds(host in _LOCAL, f"admin_host={host}", "127.0.0.1")


def administration_tls(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-04. With TLS the interface's own web page is served, and what is forwarded to it from elsewhere is not readable on the way."""
    core = config_of(facts).core
    good = bool(core.get("admin_ssl_key") and core.get("admin_ssl_cert"))
    return holds(good, "HTTPS" if good else "plain HTTP", "admin_ssl_key and admin_ssl_cert")


def mode(config: Config) -> str:
    """What stands between a statement that nobody knows and the members, on the weakest service: nothing, idle, learn-clear, learn-append,
    supervise, enforce; `allow` for the older filter's allow list, `patterns` for one that only rewrites."""
    order = ("nothing", "idle", "patterns", "learn-clear", "learn-append", "supervise", "allow", "enforce")
    return min((_of_service(config, service) for service in used(config)), key=order.index, default="nothing")


def _of_service(config: Config, service: Section) -> str:
    found = "nothing"
    for called in service.listed("filters"):
        each = config.named(called)
        module = each.get("module") if each else called
        if each and module == Firewall.MODULE:
            return each.get("mode", "idle")
        if each and module == Firewall.DBFW and each.get("action") == "allow":
            return "allow"
        if module in (Firewall.REGEX, "rewritefilter", Firewall.DBFW):
            found = "patterns"
    return found


def statements(facts: HostFacts, snapshot: Snapshot, detecting: bool = False) -> Judgement:
    """LB-05. What an injected statement looks like nobody knows beforehand; what the application says can be learnt. `detecting`: it is
    enough that misses are written down."""
    config = config_of(facts)
    seen, kind = mode(config), firewall(config.version)
    good = {"enforce", "allow"} | ({"supervise"} if detecting else set())
    if kind is Firewall.REGEX:
        return Judgement(
            Verdict.FAIL,
            f"MaxScale {said(config.version)} has no firewall ({seen})",
            "MaxScale 25.10 or later, mode=enforce",
        )
    return holds(seen in good, f"{kind}: {seen}", "mode=supervise" if detecting else "mode=enforce")


def limits(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-06. Without a limit one application that runs wild takes every connection that a member has."""
    config = config_of(facts)
    found = [
        f"{each.name}: no max_routing_connections"
        for each in config.of_type("server")
        if unlimited(each, "max_routing_connections")
    ]
    found += [f"{each.name}: no max_connections" for each in used(config) if unlimited(each, "max_connections")]
    return _judged(
        found, "servers and services have limits", "max_routing_connections of servers, max_connections of services"
    )


def unlimited(section: Section, name: str) -> bool:
    return section.get(name, "0") in ("", "0")


def knows_galera(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-08. A member that feeds another one, or has lost the group, still takes connections: only a monitor that knows Galera, and a
    router that heeds it, keep clients away."""
    config = config_of(facts)
    monitors = config.of_type("monitor")
    found = [
        f"{each.name}: {each.get('module')} does not know Galera"
        for each in monitors
        if each.get("module") != "galeramon"
    ]
    if not monitors:
        found.append("no monitor")
    if not snapshot.cluster.policy.load_balancer.donor:
        found += [f"{each.name}: sends clients to donors" for each in monitors if each.on("available_when_donor")]
    for each in used(config):
        roles = set(each.listed("router_options")) or {"running"}
        if each.get("router") == "readconnroute" and "running" in roles:
            found.append(f"{each.name}: router_options=running sends clients to members that are not Synced")
    return _judged(
        found,
        "galeramon, and no clients for donors",
        "galeramon, available_when_donor=false, no router_options=running",
    )


def as_written(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """What somebody changed while MaxScale ran replaces a whole object of Galvan's file, silently and for good. Only a filter's mode is
    meant to live there. A member that was added later stands behind no door, and a certificate that ends shuts it."""
    config, door = config_of(facts), facts[DOOR]
    hidden = sorted(
        each.name
        for each in config.sections
        if each.runtime and each.name.startswith("galvan-") and each.get("type") != "filter"
    )
    found = [f"changed while MaxScale ran: {', '.join(hidden)}"] if hidden else []
    if door.get("file"):
        behind = {each.get("address") for each in config.of_type("server")}
        members = snapshot.cluster.having(Role.DATABASE)
        found += [
            f"{host.name} stands behind no door"
            for host in members
            if not behind & {host.address, host.name, *host.names}
        ]
        found += ["its certificate does not last for 30 days"] if door.get("certificate") != "yes" else []
    return _judged(
        found, "as written", "every member in Galvan's file, a certificate that lasts, and nothing that hides the file"
    )
