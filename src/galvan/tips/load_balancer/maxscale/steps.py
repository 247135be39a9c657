"""MaxScale's door as steps: what the core asks for, stage by stage. Each is built from what was seen.

What a running MaxScale takes: objects of its own made, altered, taken away; TLS of a listener or a server switched on; limits; filters and
their modes; administrators; certificates (`reload tls`). What waits for a restart, which cuts every session through this balancer:
[maxscale] (where the REST interface listens, and its TLS), and a new key for encrypted passwords.
"""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.ownfile import digest
from galvan.model import Action, Blind, Disruption, Fact, HostFacts, Shell, Stage, State, Step
from galvan.tips.load_balancer.maxscale import scripts
from galvan.tips.load_balancer.maxscale.checks import plain_listeners
from galvan.tips.load_balancer.maxscale.facts import DOOR, LISTENERS, OWN, config_of
from galvan.tips.load_balancer.maxscale.render import Door, Tls, core, mark, objects, text
from galvan.tips.load_balancer.maxscale.runtime import commands, removal
from galvan.tips.load_balancer.maxscale.versions import ca_name, ssl_version

TIP = "load_balancer"


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
    """WIDEN: the policy's doors beside the old ones. Called again later, with `members_tls` and a later stage, it switches TLS towards
    the members on: before accounts must use it (ACCOUNTS), after members offer it (FIRST_RESTART)."""
    may_enter(facts)
    _clear_ground(facts, wanted)
    made = objects(wanted)
    new, seen = mark(made), _seen(facts, "file", "objects")
    want = {"file": new, "objects": " ".join(sorted(each.name for each in made))}
    if seen == want:
        return
    put = scripts.put(text(made), commands(wanted.version, made), removal(made), new)
    keyless = not config_of(facts).keys
    bring = scripts.RESTART if keyless else scripts.load(new)
    back: tuple[Shell, ...] = (*scripts.put_back(seen["file"]), scripts.unload(new, seen["file"]))
    if seen["file"]:
        back = (*back, scripts.load(seen["file"]))
    yield _step(
        facts, stage, "door", seen, want, (scripts.PASSWORDS, *put, bring), back,
        f"doors of MaxScale's at {', '.join(str(port) for port in (wanted.policy.door, wanted.policy.read_door) if port)}",
        disruption=Disruption.RESTART if keyless else Disruption.NONE,
    )  # fmt: skip


def _clear_ground(facts: HostFacts, wanted: Door) -> None:
    """MaxScale does not start where two sections bear one name, and a listener does not where a port is taken."""
    mine = {each.name.lower() for each in objects(wanted)}
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
        on = [
            ("ssl", "true"), (ca_name(config.version), tls.ca), ("ssl_cert", tls.cert), ("ssl_key", tls.key),
            ("ssl_version", ssl_version(config.version, min_tls)), ("ssl_cipher", ciphers),
        ]  # fmt: skip
        yield _step(
            facts, stage, f"old-door-{section.name}", {section.name: "false"}, {section.name: "true"},
            (scripts.old_door(section.name, on),), (scripts.old_door(section.name, [("ssl", "false")]),),
            f"MaxScale's listener {section.name} refuses clear text", read=LISTENERS,
        )  # fmt: skip


def administration(facts: HostFacts, tls: Tls, min_tls: str, stage: Stage = Stage.OLD_DOOR) -> Iterator[Step]:
    """NARROW: the REST interface for this host alone and over TLS. Needs a restart of MaxScale; of two balancers one after the other."""
    settings = core(config_of(facts).version, tls, min_tls)
    new = core_mark(settings)
    seen = _seen(facts, "marked")
    if seen["marked"] == new:
        return
    back = scripts.remark_core(seen["marked"]) if seen["marked"] else scripts.UNMARK_CORE
    yield _step(
        facts, stage, "administration", seen, {"marked": new}, (*scripts.mark_core(settings, new), scripts.RESTART),
        (back, scripts.RESTART), "MaxScale's administration on loopback, over TLS: MaxScale restarts", disruption=Disruption.RESTART,
    )  # fmt: skip


def core_mark(settings: tuple[tuple[str, str], ...]) -> str:
    return str(digest("".join(f"{key}={said}\n" for key, said in settings)))[:16]
