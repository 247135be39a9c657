"""What the look of `needs.judge_material` found: certificate, key and trust, in each directory and at each place that an
option file of the host names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from galvan.model import Unreadable
from galvan.pki.certificate import Leaf, describe
from galvan.pki.chain import belongs, dials

_STAT = re.compile(r"([0-7]{1,5}):(\d+):([^:]+):([^:]+):(/.*)")
_TAGS = frozenset({"missing", "unable", "user", "gid", "at", "stat", "key", "pem", "as-user", "verify", "end"})
_PURPOSE = "certificate purpose"  # in both of OpenSSL's sentences about it
_FILES = ("cert", "key", "ca")
BROUGHT = "brought:"
"""Before the authority's name: material that an option file of the owner names, not what lies in Galvan's place."""

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
class Material:
    """One key, its certificate and its trust. `paths`: where they are looked for, by `cert`, `key` and `ca`; one that no
    option file names is left out. `serves`, `dials`: empty where the chain holds as a server's and as a client's
    certificate, a sentence where it does not. `files`: those that exist, by the same names."""

    directory: str  # of all three, or (of what the owner brought) of the authority's file
    user: str
    present: bool
    paths: Mapping[str, str] = field(default_factory=dict)
    brought: bool = False
    own: Kept | None = None  # whose the directory is; None only where it is missing
    files: Mapping[str, Kept] = field(default_factory=dict)
    readable: frozenset[str] = frozenset()
    leaf: Leaf | None = None
    public: str = ""  # the key's public half, where openssl opens it as the mysql user
    key_belongs: bool = False
    serves: str = "not tried"
    dials: str = "not tried"
    certificate: str = field(default="", repr=False)
    authority: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What a DBA would call it: the directory, or the certificate that is named in an option file."""
        return self.paths.get("cert", "a certificate without a name") if self.brought else self.directory

    @property
    def key_is_private(self) -> bool:
        """Nobody but root and the mysql user (or its own group, for reading) may open or change the key."""
        key = self.files.get("key")
        if key is None or key.owner not in (self.user, "root"):
            return False
        return not key.mode & 0o037 and (key.group_is_ours or not key.mode & 0o040)


@lru_cache(256)
def parse_material(text: str) -> Mapping[str, Material]:
    """By directory, and by `brought:AUTHORITY`. Raises Unreadable for whatever is not the whole output of the look, and
    where it could not look. Two facts read the same text, and the chains in it are verified once."""
    sections = _sections(text)
    if unable := next((said for tag, said, _ in sections if tag == "unable"), None):
        raise Unreadable(f"the certificates could not be judged: {unable}")
    found = {
        said: Material(said, "", present=False, paths=_inside(said)) for tag, said, _ in sections if tag == "missing"
    }
    if all(tag in ("missing", "end") for tag, _, _ in sections):
        return found
    stat = [line for tag, _, lines in sections if tag == "stat" for line in lines]
    user, gid = _one(sections, "user"), _one(sections, "gid")
    kept = dict(_kept(line, gid) for line in stat)
    named = {said: lines for tag, said, lines in sections if tag == "at"}
    looked = [said for tag, said, _ in sections if tag == "as-user"]
    if not looked or looked != list(named) or any(len(lines) != 4 for lines in named.values()):
        raise Unreadable("the look at the certificates did not say of each place what it holds")
    for label, (directory, *paths) in named.items():
        if directory not in kept and not label.startswith(BROUGHT):
            raise Unreadable("the look at the certificates did not say whose the directories are")
        places = {name: path for name, path in zip(_FILES, paths, strict=True) if path.startswith("/")}
        bare = Material(directory, user, True, places, label.startswith(BROUGHT), kept.get(directory))
        found[label] = _material(bare, label, kept, sections)
    return found


def _inside(directory: str) -> dict[str, str]:
    return {name: f"{directory}/{name}.pem" for name in _FILES}


def _material(bare: Material, label: str, kept: Mapping[str, Kept], sections: Sequence[Section]) -> Material:
    def lines(tag: str, said: str) -> tuple[str, ...]:
        return next((lines for t, s, lines in sections if (t, s) == (tag, said)), ())

    def pem(name: str) -> str:
        return "".join(line + "\n" for line in lines("pem", bare.paths.get(name, "")))

    key, certificate, authority = _block("\n".join(lines("key", label)), "PUBLIC KEY"), pem("cert"), pem("ca")
    leaf, serves = _leaf(certificate), _verdict(lines("verify", label))
    return replace(
        bare,
        files={name: kept[path] for name, path in bare.paths.items() if path in kept},
        readable=frozenset(line.removeprefix("reads ") for line in lines("as-user", label)),
        leaf=leaf,
        public=key,
        key_belongs=bool(key) and leaf is not None and belongs(certificate, key),
        serves=serves,
        dials=_dials(serves, certificate, authority) if leaf else "not tried",
        certificate=certificate,
        authority=authority,
    )


def _leaf(certificate: str) -> Leaf | None:
    try:
        return describe(certificate)
    except Unreadable:
        return None


def _dials(serves: str, certificate: str, authority: str) -> str:
    """What keeps a chain from holding keeps it from holding for a client too; only the purpose is another."""
    if serves and _PURPOSE not in serves:
        return serves
    try:
        why = dials(certificate, authority)
    except Unreadable as unread:
        return str(unread)
    return why or ("not tried" if serves else "")


def complaints(material: Material) -> Iterator[str]:
    """What is wrong with a directory as it lies there, in sentences; lifetimes and names are `certificate.problems`."""
    if not material.present:
        yield f"there is no {material.directory}"
        return
    yield from _files(material)
    yield from _key(material)
    if material.leaf is not None and {"ca", "cert"} <= material.readable:
        under = material.paths["ca"] if material.brought else "ca.pem beside it"
        untried = material.serves and material.dials == "not tried"
        for side, why in (("server", material.serves), ("client", "" if untried else material.dials)):
            if why:
                yield f"{material.paths['cert']} does not hold as a {side}'s under {under}: {why}"


def _files(material: Material) -> Iterator[str]:
    trusty = ("root", material.user) if material.brought else ("root",)
    others = 0o002 if material.brought and material.own and material.own.group_is_ours else 0o022
    if (own := material.own) and (own.owner not in trusty or own.mode & others):
        yield (
            f"{material.directory} may be changed by others than {' and '.join(trusty)} ({own}): "
            "whoever can, decides whom this host trusts"
        )
    for name in ("ca", "cert", "key"):
        if name not in material.paths:
            yield f"no option file names {_NEEDED[name]} beside {' and '.join(material.paths.values())}"
        elif name not in material.files:
            yield f"{material.paths[name]} is missing"
        elif name not in material.readable:
            yield f"the user {material.user} cannot read {material.paths[name]} ({material.files[name]})"
    if "cert" in material.files and material.leaf is None:
        yield f"{material.paths['cert']} is no certificate that can be read"


_NEEDED = {"ca": "an authority", "cert": "a certificate", "key": "a key"}


def _key(material: Material) -> Iterator[str]:
    if "key" not in material.files:
        return
    key = material.paths["key"]
    if not material.key_is_private:
        yield f"{key} may be opened by others than {material.user} ({material.files['key']})"
    if "key" not in material.readable:
        return
    if not material.public:
        yield f"{key} is no private key that openssl opens without a passphrase"
    elif material.leaf is not None and not material.key_belongs:
        yield f"{key} does not belong to {material.paths['cert']}"


def _sections(text: str) -> list[Section]:
    lines = text.removesuffix("\n").split("\n")
    if not lines or lines[0] != "@galvan-material 2" or lines[-1] != "@end":
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
