"""From the need of a certificate to steps: key and request made on the host, the answer put beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from galvan.model import (
    Certificate,
    Fact,
    Host,
    HostFacts,
    Policy,
    PutFile,
    RestoreFile,
    Role,
    SecretRef,
    Shell,
    Signed,
    Snapshot,
    Stage,
    State,
    Step,
)
from galvan.pki.material import Material, complaints, parse_material
from galvan.pki.needs import judge_material, make_key_and_request
from galvan.pki.places import AUTHORITIES, Place, on_application, on_server

_SERVER = judge_material([on_server(authority).directory for authority in AUTHORITIES], brought=True)
_APPLICATION = judge_material([on_application().directory], "root")
_GARB = "garb"
"""The unit of an arbitrator, whose user must be able to read its key."""
_ARBITRATOR = judge_material([on_server("cluster").directory], unit=_GARB)
_APP, _ARB = frozenset({Role.APPLICATION}), frozenset({Role.ARBITRATOR})


def sound(output: str, anyones: bool = False) -> State:
    """Per directory: does what lies there work (`sound`), and which certificate it is (`is SHA-256`).

    `anyones`: an application's key may belong to whatever user the policy names, as long as only that one opens it.
    """
    state: dict[str, str] = {}
    for directory, material in parse_material(output).items():
        if material.brought:
            continue
        if material.present:
            key = material.files.get("key")
            excused = anyones and key is not None and not key.mode & 0o077
            wrong = [told for told in complaints(material) if not (excused and "may be opened by others" in told)]
            state[f"{directory} sound"] = "no" if wrong else "yes"
        if material.leaf:
            state[f"{directory} is {material.leaf.sha256}"] = "yes"
    return state


MATERIAL: Fact[Mapping[str, Material]] = Fact("pki.material", _SERVER, parse_material)
SOUND: Fact[State] = Fact("pki.sound", _SERVER, sound)
APP_MATERIAL: Fact[Mapping[str, Material]] = Fact("pki.app_material", _APPLICATION, parse_material, roles=_APP)
APP_SOUND: Fact[State] = Fact("pki.app_sound", _APPLICATION, lambda output: sound(output, anyones=True), roles=_APP)
ARB_MATERIAL: Fact[Mapping[str, Material]] = Fact("pki.arbitrator_material", _ARBITRATOR, parse_material, roles=_ARB)
ARB_SOUND: Fact[State] = Fact("pki.arbitrator_sound", _ARBITRATOR, sound, roles=_ARB)
FACTS = (MATERIAL, SOUND, APP_MATERIAL, APP_SOUND, ARB_MATERIAL, ARB_SOUND)


def material_fact(role: Role) -> Fact[Mapping[str, Material]]:
    """Which look shows the certificates of a host of this role."""
    return {Role.APPLICATION: APP_MATERIAL, Role.ARBITRATOR: ARB_MATERIAL}.get(role, MATERIAL)


def authority_file(authority: str) -> SecretRef:
    """The content of a `ca.pem`: the authority's certificate, which exists only once the operator's side made it."""
    return SecretRef(f"authority:{authority}")


def certify(needs: Iterable[Certificate], snapshot: Snapshot) -> Iterator[Step]:
    """One step for each certificate that is asked for; what is still good is not asked for, so never made again."""
    for need in dict.fromkeys(needs):
        facts = snapshot.of(need.host)
        if facts.host.role is Role.APPLICATION:
            yield _step(facts, need, snapshot, on_application(), APP_SOUND, APP_MATERIAL, Stage.HAND_OUT)
        else:
            read = ARB_SOUND if facts.host.role is Role.ARBITRATOR else SOUND
            material = material_fact(facts.host.role)
            yield _step(facts, need, snapshot, on_server(need.authority), read, material, Stage.PREPARE)


def _step(
    facts: HostFacts,
    need: Certificate,
    snapshot: Snapshot,
    place: Place,
    read: Fact[State],
    material: Fact[Mapping[str, Material]],
    stage: Stage,
) -> Step:
    seen, host = facts[read], facts.host
    old = {key: value for key, value in seen.items() if key.startswith(f"{place.directory} is ")}
    mark = f"{place.directory} sound"
    signed = Signed(
        need.authority, place.request, need.names, need.addresses, host.name, snapshot.cluster.policy.leaf_days
    )
    return Step(
        id=f"pki.certificate-{need.authority}@{host.name}", tip=_TIPS[need.authority], host=host.name, stage=stage, read=read,
        before={mark: seen.get(mark), **old}, want={mark: "yes", **dict.fromkeys(old)},
        do=(
            make_for(host, snapshot.cluster.policy, need.authority, place),
            PutFile(place.ca, authority_file(need.authority)),
            PutFile(place.certificate, signed),
        ),
        undo=(
            *(RestoreFile(path, stage.at(host.name)) for path in (place.certificate, place.ca)),
            *(() if old else (_set_aside(place, facts[material].get(place.directory)),)),
        ),
        title=f"certificate of the {need.authority} authority for {', '.join((*need.names, *need.addresses))}",
    )  # fmt: skip


def make_for(host: Host, policy: Policy, authority: str, place: Place, renew: bool = False) -> Shell:
    """The key and the request, owned by whoever has to read the key on a host of this role."""
    owner = policy.bundle_owner if host.role is Role.APPLICATION else "mysql:mysql"
    unit = _GARB if host.role is Role.ARBITRATOR else ""
    return make_key_and_request(authority, host.name, owner, renew=renew, place=place, unit=unit)


_TIPS = {"cluster": "replication_tls", "client": "client_tls"}


def _set_aside(place: Place, before: Material | None) -> Shell:
    """What Galvan made is moved to where only root looks, never destroyed. A directory that was there stays as it was."""
    own = before.own if before else None
    then = (
        f"chown {own.owner}:{own.group} {place.directory}; chmod {own.mode:o} {place.directory}"
        if own
        else f"rmdir {' '.join(reversed(place.closed))} {place.closed[0].rpartition('/')[0]} 2>/dev/null || true"
    )
    return Shell(
        f"[ -d {place.directory} ] || exit 0\n"
        "umask 077; mkdir -p /var/lib/galvan/removed\n"
        f"kept=$(mktemp -d /var/lib/galvan/removed/{place.directory.rpartition('/')[2]}.XXXXXX)\n"
        f'for f in {place.directory}/*.pem {place.directory}/*.pem.*; do [ ! -e "$f" ] || mv "$f" "$kept/"; done\n'
        + then
    )
