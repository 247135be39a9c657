"""haproxy.cfg as sections, and who leads where in it. Secrets are struck out on the host.

Galvan's own lines stand between two marks at the end of the file; a line of the owner's that is out of use meanwhile is
put aside with a mark before it. Without both the file is what its owner wrote, so taking Galvan out again needs no copy.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from galvan.cluster.balancer import FILE
from galvan.model import Fact, Role, Shell, State, Unreadable

BEGIN, END, ASIDE = "# galvan: begin", "# galvan: end", "#galvan# "
PLAIN = f"awk '/^{BEGIN}/{{s=1}} !s{{sub(/^{ASIDE}/, \"\"); print}} /^{END}/{{s=0}}'"
"""What the owner wrote, from what stands there."""
_KINDS = frozenset(
    [
        "global",
        "defaults",
        "listen",
        "frontend",
        "backend",
        "peers",
        "resolvers",
        "userlist",
        "mailers",
        "cache",
        "program",
        "ring",
        "log-forward",
        "http-errors",
        "fcgi-app",
        "crt-store",
        "traces",
    ]
)
_PORT = re.compile(r"(?:.*:)?(\d+)$")


@dataclass(frozen=True, slots=True)
class Line:
    """`number` counts from 1, in what the owner wrote (0: a line of Galvan's)."""

    number: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    kind: str
    name: str
    numbers: tuple[int, ...]
    lines: tuple[Line, ...]

    def having(self, *words: str) -> tuple[Line, ...]:
        """The lines that begin so."""
        return tuple(line for line in self.lines if line.words[: len(words)] == words)

    @property
    def ports(self) -> frozenset[int]:
        found = (_PORT.match(part) for line in self.having("bind") for part in line.words[1].split(","))
        return frozenset(int(match[1]) for match in found if match)

    @property
    def leads_to(self) -> frozenset[str]:
        """Names of the backends that it hands connections to."""
        return frozenset(line.words[1] for key in ("default_backend", "use_backend") for line in self.having(key))

    @property
    def targets(self) -> frozenset[str]:
        """Addresses of its servers."""
        return frozenset(address_of(line) for line in self.having("server"))


def address_of(server: Line) -> str:
    return server.words[2].rpartition(":")[0].strip("[]")


@dataclass(frozen=True)
class Balancer:
    """`version` is empty where there is no HAProxy; `plain`: the digest of what the owner wrote, before secrets were struck
    out; `lines`: that, and `aside` says which of them are out of use; `block`: Galvan's own."""

    version: str
    plain: str = ""
    lines: tuple[str, ...] = ()
    aside: frozenset[int] = frozenset()
    block: tuple[str, ...] = ()

    @cached_property
    def owners(self) -> tuple[Section, ...]:
        """The sections of the owner's that are in use."""
        return tuple(sections((n, text) for n, text in enumerate(self.lines, 1) if n not in self.aside))

    @cached_property
    def ours(self) -> tuple[Section, ...]:
        return tuple(sections((0, text) for text in self.block))

    @property
    def all(self) -> tuple[Section, ...]:
        return (*self.owners, *self.ours)


@dataclass(frozen=True, slots=True)
class Way:
    """One way in that ends at members: the section that takes connections, and those behind it."""

    front: Section
    backs: tuple[Section, ...]


def sections(lines: Iterator[tuple[int, str]]) -> Iterator[Section]:
    kind, name = "", ""
    numbers: list[int] = []
    found: list[Line] = []
    for number, text in lines:
        words = tuple(text.split("#", 1)[0].split())
        if words and words[0] in _KINDS:
            if kind:
                yield Section(kind, name, tuple(numbers), tuple(found))
            kind, name, numbers, found = words[0], words[1] if len(words) > 1 else "", [], []
        numbers.append(number)
        if words:
            found.append(Line(number, words))
    if kind:
        yield Section(kind, name, tuple(numbers), tuple(found))


def ways(found: Sequence[Section], members: frozenset[str]) -> Iterator[Way]:
    """Every frontend and listener that ends at an address of a member."""
    named = {s.name: s for s in found if s.kind == "backend"}
    for front in found:
        if front.kind not in ("frontend", "listen"):
            continue
        backs = tuple(named[name] for name in sorted(front.leads_to) if name in named)
        if any(s.targets & members for s in (front, *backs)):
            yield Way(front, backs)


def digest(block: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(block).encode()).hexdigest()[:16] if block else ""


def balancer(output: str) -> Balancer:
    """Lines version= and plain=, then `---` and the file. Raises Unreadable where the file cannot be read."""
    head, mark, text = output.partition("---\n")
    said = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    if not said.get("version"):
        return Balancer("")
    if not mark or not said.get("plain"):
        raise Unreadable(f"{FILE} could not be read")
    plain: list[str] = []
    aside: set[int] = set()
    block: list[str] = []
    inside = False
    for line in text.splitlines():
        inside = inside or line.startswith(BEGIN)
        if inside:
            block.append(line)
            inside = not line.startswith(END)
            continue
        if line.startswith(ASIDE):
            aside.add(len(plain) + 1)
        plain.append(line.removeprefix(ASIDE))
    return Balancer(said["version"], said["plain"], tuple(plain), frozenset(aside), tuple(block))


def numbers(aside: frozenset[int]) -> str:
    return " ".join(map(str, sorted(aside)))


def state(output: str) -> State:
    seen = balancer(output)
    return {"block": digest(seen.block), "aside": numbers(seen.aside)}


_QUERY = Shell(
    f"command -v haproxy >/dev/null || exit 0\nf={FILE}\n"
    "echo \"version=$(haproxy -v | sed -n '1s/.*version \\([^ ]*\\).*/\\1/p')\"\n"
    f'[ -r "$f" ] && echo "plain=$({PLAIN} "$f" | sha256sum | cut -d " " -f 1)" && echo --- &&\n'
    "sed -E 's/^([^#]*(stats auth|password|setenv|presetenv|Authorization))[[:space:]].*/\\1 (hidden)/' \"$f\"; true"
)
HAPROXY: Fact[Balancer] = Fact("haproxy.file", _QUERY, balancer, roles=frozenset({Role.LOAD_BALANCER}))
WRITTEN: Fact[State] = Fact("haproxy.written", _QUERY, state, roles=frozenset({Role.LOAD_BALANCER}))
