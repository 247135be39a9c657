"""What the look of `needs.judge_material` found: the certificate, the key and the trust in each directory of a host."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from galvan.model import Unreadable

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) ([1-9]\d{3}) GMT")
_STAT = re.compile(r"([0-7]{1,5}):(\d+):([^:]+):([^:]+):(/.*)")
_TAGS = frozenset({"missing", "unable", "user", "gid", "stat", "x509", "key", "pem", "as-user", "verify", "end"})

Section = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Kept:
    """Whose a file is: `mode` as in 0o400."""

    mode: int
    owner: str
    group: str
    group_is_ours: bool  # the mysql user's own group, or root's

    def __str__(self) -> str:
        return f"{self.owner}:{self.group} {self.mode:04o}"


@dataclass(frozen=True, slots=True)
class Printed:
    """What openssl says of cert.pem. `not_before`, `not_after`: seconds since the epoch."""

    sha256: str
    serial: str
    subject: str
    not_before: float
    not_after: float


@dataclass(frozen=True, slots=True)
class Material:
    """One directory. `serves`, `dials`: empty where the chain holds as a server's and as a client's certificate,
    openssl's sentence where it does not. `files`: those that exist, by name (`ca`, `cert`, `key`)."""

    directory: str
    user: str
    present: bool
    own: Kept | None = None  # None only where the directory is missing
    files: Mapping[str, Kept] = field(default_factory=dict)
    readable: frozenset[str] = frozenset()
    printed: Printed | None = None
    key_opens: bool = False
    key_belongs: bool = False
    serves: str = "not tried"
    dials: str = "not tried"
    certificate: str = field(default="", repr=False)
    authority: str = field(default="", repr=False)

    @property
    def key_is_private(self) -> bool:
        """Nobody but root and the mysql user (or its own group, for reading) may open or change the key."""
        key = self.files.get("key")
        if key is None or key.owner not in (self.user, "root"):
            return False
        return not key.mode & 0o037 and (key.group_is_ours or not key.mode & 0o040)


def parse_material(text: str) -> Mapping[str, Material]:
    """By directory. Raises Unreadable for whatever is not the whole output of the look, and where it could not look."""
    sections = _sections(text)
    if unable := next((said for tag, said, _ in sections if tag == "unable"), None):
        raise Unreadable(f"the certificates could not be judged: {unable}")
    found = {said: Material(said, "", present=False) for tag, said, _ in sections if tag == "missing"}
    stat = [line for tag, _, lines in sections if tag == "stat" for line in lines]
    if all(tag in ("missing", "end") for tag, _, _ in sections):
        return found
    user, gid = _one(sections, "user"), _one(sections, "gid")
    kept = dict(_kept(line, gid) for line in stat)
    looked = [said for tag, said, _ in sections if tag == "as-user" and said not in found]
    if not looked or not set(looked) <= kept.keys():
        raise Unreadable("the look at the certificates did not say whose the directories are")
    for directory in looked:
        found[directory] = _material(directory, user, kept, sections)
    return found


def _material(directory: str, user: str, kept: Mapping[str, Kept], sections: Sequence[Section]) -> Material:
    def lines(tag: str, said: str) -> tuple[str, ...]:
        return next((lines for t, s, lines in sections if (t, s) == (tag, said)), ())

    printed = lines("x509", directory)
    own, key = _block("\n".join(printed), "PUBLIC KEY"), _block("\n".join(lines("key", directory)), "PUBLIC KEY")
    return Material(
        directory=directory,
        user=user,
        present=True,
        own=kept[directory],
        files={f: kept[path] for f in ("ca", "cert", "key") if (path := f"{directory}/{f}.pem") in kept},
        readable=frozenset(line.removeprefix("reads ") for line in lines("as-user", directory)),
        printed=_printed(printed) if own else None,
        key_opens=bool(key),
        key_belongs=bool(key) and key == own,
        serves=_verdict(lines("verify", f"sslserver {directory}")),
        dials=_verdict(lines("verify", f"sslclient {directory}")),
        certificate="".join(line + "\n" for line in lines("pem", f"{directory}/cert.pem")),
        authority="".join(line + "\n" for line in lines("pem", f"{directory}/ca.pem")),
    )


def complaints(material: Material) -> Iterator[str]:
    """What is wrong with a directory as it lies there, in sentences; lifetimes and names are `certificate.problems`."""
    if not material.present:
        yield f"there is no {material.directory}"
        return
    yield from _files(material, material.directory)
    yield from _key(material, material.directory)
    if material.printed is not None and {"ca", "cert"} <= material.readable:
        for side, why in (("server", material.serves), ("client", material.dials)):
            if why:
                yield f"{material.directory}/cert.pem does not hold as a {side}'s under ca.pem beside it: {why}"


def _files(material: Material, at: str) -> Iterator[str]:
    if (own := material.own) and (own.owner != "root" or own.mode & 0o022):
        yield f"{at} may be changed by others than root ({own}): whoever can, decides whom this host trusts"
    for name in ("ca", "cert", "key"):
        if name not in material.files:
            yield f"{at}/{name}.pem is missing"
        elif name not in material.readable:
            yield f"the user {material.user} cannot read {at}/{name}.pem ({material.files[name]})"
    if "cert" in material.files and material.printed is None:
        yield f"{at}/cert.pem is no certificate that openssl can read"


def _key(material: Material, at: str) -> Iterator[str]:
    if "key" not in material.files:
        return
    if not material.key_is_private:
        yield f"{at}/key.pem may be opened by others than {material.user} ({material.files['key']})"
    if not material.key_opens:
        yield f"{at}/key.pem is no private key that openssl opens without a passphrase"
    elif material.printed is not None and not material.key_belongs:
        yield f"{at}/key.pem does not belong to {at}/cert.pem"


def _sections(text: str) -> list[Section]:
    lines = text.removesuffix("\n").split("\n")
    if not lines or lines[0] != "@galvan-material 1" or lines[-1] != "@end":
        raise Unreadable(f"the look at the certificates is not whole: it begins {text[:60]!r} and ends {text[-60:]!r}")
    sections: list[Section] = []
    for line in lines[1:]:
        if line.startswith("@"):
            tag, _, said = line[1:].partition(" ")
            if tag not in _TAGS:
                raise Unreadable(f"the look at the certificates said what nobody knows: {line[:80]!r}")
            sections.append((tag, said, ()))
        elif not sections:
            raise Unreadable(f"the look at the certificates began with {line[:80]!r}")
        else:
            tag, said, before = sections[-1]
            sections[-1] = (tag, said, (*before, line))
    return sections


def _one(sections: Sequence[Section], tag: str) -> str:
    for found, said, _ in sections:
        if found == tag and said:
            return said
    raise Unreadable(f"the look at the certificates did not say its {tag}")


def _kept(line: str, gid: str) -> tuple[str, Kept]:
    match = _STAT.fullmatch(line)
    if not match:
        raise Unreadable(f"no owner and mode can be read from {line[:80]!r}")
    mode, group_id, owner, group, path = match.groups()
    return path, Kept(int(mode, 8), owner, group, group_id in (gid, "0"))


def _printed(lines: Sequence[str]) -> Printed:
    said = {key.strip().lower(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    try:
        return Printed(
            sha256=said["sha256 fingerprint"].replace(":", "").lower(),
            serial=said["serial"].lower().lstrip("0") or "0",
            subject=said["subject"],
            not_before=_epoch(said["notbefore"]),
            not_after=_epoch(said["notafter"]),
        )
    except KeyError as missing:
        raise Unreadable(f"openssl did not say the certificate's {missing}") from None


def _epoch(text: str) -> float:
    match = _DATE.fullmatch(text)
    if not match or match.group(1) not in _MONTHS:
        raise Unreadable(f"{text[:40]!r} is no date of openssl's")
    month, day, hour, minute, second, year = match.groups()
    return float(calendar.timegm((int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))))


def _block(text: str, kind: str) -> str:
    match = re.search(rf"-----BEGIN {kind}-----\n.*?-----END {kind}-----", text, re.S)
    return match.group(0) if match else ""


def _verdict(lines: Sequence[str]) -> str:
    """Empty only where openssl said OK and nothing else: versions before 1.1 exit 0 on failure too."""
    if not lines:
        return "not tried"
    if len(lines) == 1 and lines[0].endswith(": OK"):
        return ""
    sentences = [line.split("lookup:", 1)[1].strip() for line in lines if "lookup:" in line]
    return sentences[0] if sentences else next((line.strip() for line in lines if line.strip()), "no answer")
