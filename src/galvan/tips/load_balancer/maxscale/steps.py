"""MaxScale's door as steps, stage by stage. Each is built from what was seen.

What a running MaxScale takes: objects of its own made, altered, taken away; TLS of a listener or a server switched on; limits; filters and
their modes; administrators; certificates (`reload tls`). What waits for a restart, which cuts every session through this balancer:
[maxscale] (where the REST interface listens, and its TLS), and a new key for encrypted passwords.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster.facts import REQUIREMENTS
from galvan.cluster.ownfile import digest
from galvan.cluster.sealed import OWN_KEY
from galvan.model import (
    Action,
    Blind,
    Disruption,
    Fact,
    HostFacts,
    RestoreFile,
    Scope,
    Shell,
    Stage,
    State,
    Step,
)
from galvan.pki.needs import make_key_and_request
from galvan.pki.places import at
from galvan.tips.load_balancer.maxscale import accounts, adopt, scripts
from galvan.tips.load_balancer.maxscale.accounts import Wanted
from galvan.tips.load_balancer.maxscale.checks import plain_listeners
from galvan.tips.load_balancer.maxscale.facts import DOOR, HOME, LISTENERS, OWN, SERVERS, Section, config_of
from galvan.tips.load_balancer.maxscale.render import Door, Tls, core, mark, objects, text
from galvan.tips.load_balancer.maxscale.runtime import commands, removal
from galvan.tips.load_balancer.maxscale.versions import ca_name, ssl_version
from galvan.tips.load_balancer.members import shown

TIP = "load_balancer"
PLACE = at(HOME)
TLS = Tls(PLACE.ca, PLACE.certificate, PLACE.key)
_OFF = ("false", "off", "no", "0")
_SHOWN = {"SSL": "ANY", "X509": "X509"}
"""What the server calls that which REQUIRE asks for."""


def _step(
    facts: HostFacts, stage: Stage, called: str, before: State, want: State, do: tuple[Action, ...], undo: tuple[Action, ...],
    title: str, read: Fact[State] = DOOR, disruption: Disruption = Disruption.NONE,
) -> Step:  # fmt: skip
    return Step(
        id=f"{TIP}.maxscale-{called}-{stage.name.lower().replace('_', '-')}@{facts.host.name}", tip=TIP, host=facts.host.name,
        stage=stage, read=read, before=before, want=want, do=do, undo=undo, title=title, disruption=disruption,
    )  # fmt: skip


def _seen(facts: HostFacts, *names: str) -> dict[str, str]:
    return {each: str(facts[DOOR].get(each) or "") for each in names}


def may_enter(facts: HostFacts) -> None:
    """Raises Blind while no login is known: then nothing can be changed while MaxScale runs, and nothing be drained."""
    config_of(facts)
    if facts[DOOR].get("galvan_enters") != "yes":
        raise Blind(
            f"MaxScale's administration on {facts.host.name} lets Galvan in with no login that lies there: put one into "
            "/root/.maxctrl.cnf ([maxctrl], u=NAME, p=PASSWORD, mode 0600)"
        )


def members_accounts(facts: HostFacts, member: HostFacts, found: Sequence[Wanted], require: str) -> Iterator[Step]:
    """WIDEN: both accounts, from this balancer and over TLS only. The member learns digests, and nobody else does."""
    seen = {account.name: member[REQUIREMENTS].get(account.name) for account in found}
    if any(seen.values()):
        if facts[DOOR].get("passwords") != "made" or any(said in (None, "NONE") for said in seen.values()):
            raise Blind(
                f"{', '.join(name for name, said in seen.items() if said)} is there, and not as Galvan leaves it: galvan resume (or "
                f"rollback) the run that made it; where nobody did, drop it. Its password would lie on {facts.host.name}"
            )
        return
    put, host = accounts.put_digests(facts.host.name), member.host.name
    yield Step(
        id=f"{TIP}.maxscale-accounts-{facts.host.name}@{host}", tip=TIP, host=host, stage=Stage.HEALTH, read=REQUIREMENTS, before=seen,
        want=dict.fromkeys(seen, _SHOWN[require]), do=(OWN_KEY, put, accounts.make(found, require)),
        undo=(*accounts.drop(found), RestoreFile(put.path, Stage.HEALTH.at(host))),
        title=f"accounts of MaxScale's on {facts.host.name}, over TLS only: {', '.join(seen)}", scope=Scope.CLUSTER,
    )  # fmt: skip


def certificate(
    facts: HostFacts, names: Sequence[str], addresses: Sequence[str], days: int, stage: Stage = Stage.DOOR
) -> Iterator[Step]:
    """WIDEN: one of the client authority, for clients and members and the REST interface alike. The key is made here and never leaves."""
    seen, host = _seen(facts, "certificate"), facts.host.name
    if seen["certificate"] == "yes":
        return
    put = shown(PLACE, host, names, addresses, days)
    used = (scripts.RELOAD_TLS,) if facts[DOOR].get("file") or facts[DOOR].get("marked") else ()
    yield _step(
        facts, stage, "certificate", seen, {"certificate": "yes"},
        (make_key_and_request("client", host, place=PLACE, unit="maxscale"), *put, *used),
        (*(RestoreFile(action.path, stage.at(host)) for action in reversed(put)), *used),
        f"a certificate for MaxScale: {', '.join((*names, *addresses))}",
    )  # fmt: skip


def login(facts: HostFacts, stage: Stage = Stage.DOOR) -> Iterator[Step]:
    """WIDEN: an administrator of Galvan's beside the one that is there."""
    may_enter(facts)
    seen = _seen(facts, "own_login", "galvan_enters")
    if seen["own_login"] != "there":
        yield _step(
            facts, stage, "login", seen, {"own_login": "there", "galvan_enters": "yes"}, (scripts.login(),), (scripts.NO_LOGIN,),
            "an administrator of Galvan's own for MaxScale",
        )  # fmt: skip


def door(facts: HostFacts, wanted: Door, stage: Stage = Stage.DOOR) -> Iterator[Step]:
    """WIDEN: the policy's doors beside the old ones, and they lead to every member before the step counts as done."""
    may_enter(facts)
    made = objects(wanted)
    _clear_ground(facts, wanted, {each.name for each in made})
    new, seen = mark(made), _seen(facts, "file", "objects")
    want = {"file": new, "objects": " ".join(sorted(each.name for each in made))}
    if seen == want:
        return
    put = scripts.put(text(made), commands(wanted.version, made), removal(made), new)
    restarts = bool(reborn(facts, wanted))
    bring = scripts.RESTART if restarts else scripts.load(new)
    back: tuple[Shell, ...] = (*scripts.put_back(seen["file"]), scripts.REVIVE, scripts.unload(new, seen["file"]))
    if seen["file"]:
        back = (*back, scripts.load(seen["file"]))
    yield _step(
        facts, stage, "door", seen, want,
        (
            scripts.PASSWORDS, *put, bring, scripts.serves([each.server for each in wanted.members], [each.name for each in made if each.kind == "service"]),
        ), back,
        f"doors of MaxScale's at {', '.join(str(port) for port in (wanted.policy.door, wanted.policy.read_door) if port)}"
        + (": MaxScale restarts" if restarts else ""),
        disruption=Disruption.RESTART if restarts else Disruption.NONE,
    )  # fmt: skip


def reborn(facts: HostFacts, wanted: Door) -> str:
    """Why MaxScale has to start anew for these doors; empty where it takes them as it runs."""
    there = facts[DOOR]
    if not config_of(facts).keys or there.get("key") == "unread":
        return "a key for encrypted passwords is read when it starts, and not before"
    names = " ".join(sorted(each.name for each in objects(wanted)))
    if there.get("file") and there.get("objects") != names:
        return "a monitor that runs takes no other servers: they count when it starts, and not before"
    return ""


def to_members(facts: HostFacts, wanted: Door, stage: Stage = Stage.DOOR) -> Iterator[Step]:
    """WIDEN: servers of the owner's are reached over TLS, each seen serving so before the next; sessions that are open stay as they are."""
    for server, on in adopt.reached(facts, wanted):
        may_enter(facts)
        _lasting(facts, server, "TLS")
        off = (("ssl", "false"), ("ssl_verify_peer_certificate", "false"), ("ssl_verify_peer_host", "false"))
        more = tuple((name, server.get(name) or "0") for name, _ in on if name == "max_routing_connections")
        yield _step(
            facts, stage, f"server-{server.name}", {server.name: "false"}, {server.name: "true"},
            (scripts.server(server.name, on, wanted.monitor), scripts.serves([server.name])),
            (scripts.server(server.name, (*off, *more), wanted.monitor, forget=not server.runtime),),
            f"MaxScale goes to {server.name} over TLS", read=SERVERS,
        )  # fmt: skip


def _lasting(facts: HostFacts, section: Section, what: str) -> None:
    """Raises Blind where MaxScale forgets at its next start what is changed while it runs."""
    core = config_of(facts).core
    if any(core.get(name).lower() in _OFF for name in ("load_persisted_configs", "persist_runtime_changes")):
        raise Blind(
            f"MaxScale on {facts.host.name} forgets at its next start what is changed while it runs (load_persisted_configs, "
            f"persist_runtime_changes): switch {what} on in [{section.name}] of {section.file} yourself"
        )


def _clear_ground(facts: HostFacts, wanted: Door, names: set[str]) -> None:
    """MaxScale does not start where two sections bear one name, and a listener does not where a port is taken. What cannot be put back as
    it is, or taken away with what leads to it, is a person's to decide."""
    _own_ground(facts, names)
    mine = {name.lower() for name in names}
    for section in config_of(facts).sections:
        if section.file == OWN or section.runtime:
            continue
        if section.name.lower() in mine:
            raise Blind(f"{section.file} on {facts.host.name} has a section [{section.name}], a name that Galvan needs")
        if section.get("type") == "listener" and section.get("port") in {
            str(wanted.policy.door),
            str(wanted.policy.read_door),
        } - {"0"}:
            raise Blind(
                f"[{section.name}] in {section.file} on {facts.host.name} listens at {section.get('port')} already: give the door another port"
            )


def _own_ground(facts: HostFacts, names: set[str]) -> None:
    seen, host = _seen(facts, "file", "kept", "objects"), facts.host.name
    if seen["file"] and seen["kept"] != "yes":
        raise Blind(
            f"{OWN} on {host} is not as Galvan wrote it, and could not be put back: move your lines to a file of your own beside it"
        )
    if others := sorted(set(seen["objects"].split()) - names):
        raise Blind(
            f"MaxScale on {host} has {', '.join(others)}, which the policy does not name (any more): take it out with maxctrl destroy first"
        )


def default_login(facts: HostFacts, stage: Stage = Stage.OLD_DOOR) -> Iterator[Step]:
    """NARROW: the password that everybody knows becomes one that nobody does."""
    seen = _seen(facts, "default_login")
    if seen["default_login"] == "yes":
        may_enter(facts)
        yield _step(
            facts, stage, "default-login", seen, {"default_login": "no"}, (scripts.CLOSE_DEFAULT,), (scripts.OPEN_DEFAULT,),
            "admin/mariadb no longer gets in",
        )  # fmt: skip
    elif seen["default_login"] != "no":
        raise Blind(f"whether admin/mariadb still gets into MaxScale on {facts.host.name} could not be tried")


def old_doors(facts: HostFacts, tls: Tls, min_tls: str, ciphers: str, stage: Stage = Stage.OLD_DOOR) -> Iterator[Step]:
    """NARROW: every other listener that still takes clear text speaks TLS from now on, and nothing else. MaxScale keeps what is changed
    while it runs, and the owner's section is not read any more for this listener: `show listener` tells what holds."""
    config = config_of(facts)
    for section in plain_listeners(config):
        may_enter(facts)
        _lasting(facts, section, "TLS")
        on = [
            ("ssl", "true"), (ca_name(config.version), tls.ca), ("ssl_cert", tls.cert), ("ssl_key", tls.key),
            ("ssl_version", ssl_version(config.version, min_tls)), ("ssl_cipher", ciphers),
        ]  # fmt: skip
        yield _step(
            facts, stage, f"old-door-{section.name}", {section.name: "false"}, {section.name: "true"},
            (scripts.old_door(section.name, on),), (scripts.old_door(section.name, [("ssl", "false")], forget=not section.runtime),),
            f"MaxScale's listener {section.name} refuses clear text", read=LISTENERS,
        )  # fmt: skip


def administration(
    facts: HostFacts, tls: Tls, min_tls: str, servers: Sequence[str] = (), stage: Stage = Stage.OLD_DOOR
) -> Iterator[Step]:
    """NARROW: the REST interface for this host alone and over TLS. Needs a restart of MaxScale; of two balancers one after the other.
    `servers`: those that it has to see serving again before the step counts as done."""
    settings = core(config_of(facts).version, tls, min_tls)
    new = core_mark(settings)
    seen = _seen(facts, "marked")
    if seen["marked"] == new:
        return
    back = scripts.remark_core(seen["marked"]) if seen["marked"] else scripts.UNMARK_CORE
    yield _step(
        facts, stage, "administration", seen, {"marked": new}, (*scripts.mark_core(settings, new), scripts.RESTART, scripts.serves(servers)),
        (back, scripts.RESTART), "MaxScale's administration on loopback, over TLS: MaxScale restarts", disruption=Disruption.RESTART,
    )  # fmt: skip


def core_mark(settings: tuple[tuple[str, str], ...]) -> str:
    return str(digest("".join(f"{key}={said}\n" for key, said in settings)))[:16]
