"""What a host says of the account of its transfers. The secret stays there: what travels is the user's name, whether a password
stands behind it, and where it was found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from galvan.cluster.facts import rows
from galvan.cluster.transferauth import FILES, KNOWN
from galvan.model import Fact, Shell, State, Unreadable

OWN = "zz-galvan-sst.cnf"
"""A file of its own beside Galvan's other one: that one may be read by everybody."""
KEPT = "/var/lib/galvan/sst"
"""Lines of the owner's that were taken out of his files, each in a file of its own, for the way back."""


class Behind(StrEnum):
    """What stands behind the user's name in wsrep_sst_auth."""

    NOTHING = "nothing"  # `mysql:`
    PASSWORD = "password"  # noqa: S105 - a word
    WHOLE = "whole"  # no colon: the scripts take all of it as the user's name and as the password
    UNSET = "unset"


@dataclass(frozen=True, slots=True)
class Place:
    """One line in an option file that names the account."""

    path: str
    mode: str
    owner: str
    user: str
    behind: Behind

    @property
    def own(self) -> bool:
        return self.path.endswith(f"/{OWN}")

    @property
    def open(self) -> bool:
        """Can everybody on the host read it?"""
        return self.mode[-1] not in "0123"

    @property
    def said(self) -> str:
        return f"{self.path} ({self.mode} {self.owner})"


@dataclass(frozen=True, slots=True)
class Kept:
    """A line that Galvan took out of one of the owner's files, and when (seconds since the epoch)."""

    user: str
    behind: Behind
    at: int


@dataclass(frozen=True, slots=True)
class Auth:
    """`user` and `behind`: what the next start would read. `server`: the system user of the server, in `group`. `shown`: where
    else the secret was found, by kind (command line, log, data directory). `written`: when Galvan's own file was;
    `stamp`: of the password in it. `half`: a change of the password is under way here; `begun`: the last that was."""

    user: str
    behind: Behind
    server: str
    group: str
    places: tuple[Place, ...] = ()
    kept: tuple[Kept, ...] = ()
    shown: tuple[tuple[str, str], ...] = ()
    written: int = 0
    stamp: str = ""
    half: bool = False
    begun: str = ""

    @property
    def name(self) -> str:
        """As wsrep_sst_auth has it, with the password left out."""
        tail = {Behind.NOTHING: ":", Behind.PASSWORD: ":(a password)", Behind.WHOLE: "(a word without a colon)"}
        return f"wsrep_sst_auth={self.user}{tail[self.behind]}" if self.behind in tail else "wsrep_sst_auth is not set"

    @property
    def foreign(self) -> tuple[Place, ...]:
        return tuple(place for place in self.places if not place.own)

    @property
    def open(self) -> tuple[Place, ...]:
        return tuple(p for p in self.places if p.open and p.behind in (Behind.PASSWORD, Behind.WHOLE))


_REDACT = r"""
function told(value, user) {
  gsub(/^[ \t]+|[ \t\r]+$/, "", value)
  if (value ~ /^".*"$/ || value ~ /^\047.*\047$/) value = substr(value, 2, length(value) - 2)
  if (value == "" || value == "(null)") return "\tunset"
  if (!index(value, ":")) return "\twhole"
  user = value; sub(/:.*/, "", user); sub(/^[^:]*:/, "", value)
  return user "\t" (value == "" ? "nothing" : "password")
}
"""
_EFFECTIVE = (
    _REDACT
    + r"""
tolower($0) ~ /^--(loose[-_])?wsrep[-_]sst[-_]auth=/ { sub(/^[^=]*=/, ""); last = $0; seen = 1 }
END { print "auth\t" (seen ? told(last) : "\tunset") }
"""
)
_LINE = (
    _REDACT
    + r"""
tolower($0) ~ /^[ \t]*(loose[-_])?wsrep[-_]sst[-_]auth[ \t]*=/ { sub(/^[^=]*=/, ""); sub(/[ \t]+#.*/, ""); print about "\t" told($0) }
"""
)
_SHOWN = r"""
for f in $(grep -lzEi '^--(loose[-_])?wsrep[-_]sst[-_]auth=' /proc/[0-9]*/cmdline 2>/dev/null); do
  f=${f#/proc/}; printf 'shown\tcommand line\t%s\n' "$(cat /proc/${f%%/*}/comm 2>/dev/null)"; done
if [ -n "$s" ]; then
  for f in $(printf '%s\n' "$s" | grep -lF -f - /proc/[0-9]*/cmdline 2>/dev/null); do
    f=${f#/proc/}; printf 'shown\tcommand line\t%s\n' "$(cat /proc/${f%%/*}/comm 2>/dev/null)"; done
  log=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--log[-_]error=//p' | tail -n 1)
  case $log in ''|/*) ;; *) log=$d/$log ;; esac
  { journalctl -u mariadb -u mysql -u mysqld -n 3000 -o cat --no-pager; [ ! -f "$log" ] || tail -c 2097152 "$log"; } 2>/dev/null |
    grep -qF -f /dev/fd/3 3<<@known && printf 'shown\tlog\t%s\n' "${log:-the journal}"
$s
@known
  find "$d" "$d"/.sst -maxdepth 1 -type f -size -256k ! -name '*.frm' ! -name '*.ibd' ! -name '*.MA?' -exec grep -lF -f /dev/fd/3 {} + 3<<@known 2>/dev/null | sed 's/^/shown	data directory	/'
$s
@known
fi
find "$d" "$d"/.sst -maxdepth 1 -type f \( -name '*.cnf' -o -name '*sst*auth*' \) -exec grep -lEi '^[[:space:]]*(password|wsrep[-_]sst[-_]auth)[[:space:]]*=' {} + 2>/dev/null | sed 's/^/shown	data directory	/'
"""
_ONCE = r"""P=$(my_print_defaults --mysqld 2>/dev/null) Q=$(my_print_defaults sst 2>/dev/null)
my_print_defaults() { for x; do case $x in --mysqld) printf '%s\n' "$P" ;; *) printf '%s\n' "$Q" ;; esac; done; }
"""
"""The program is run once for each group, and its answer stands for it from then on."""
_QUERY = (
    _ONCE + FILES
    + "{ my_print_defaults --mysqld; my_print_defaults sst; } 2>/dev/null | awk '" + _EFFECTIVE.replace("'", "'\\''") + "'\n"
    + r"""d=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--datadir=//p' | tail -n 1); d=${d%/}; d=${d:-/var/lib/mysql}
printf 'server\t%s\n' "$(stat -c '%U	%G' "$d")"
for f in $(grep -liE '^[[:space:]]*(loose[-_])?wsrep[-_]sst[-_]auth[[:space:]]*=' $files 2>/dev/null); do
  awk -v about="place	$f	$(stat -c '%a	%U:%G' "$f")" '""" + _LINE.replace("'", "'\\''") + r"""' "$f"
done
set +f
for f in """ + KEPT + r"""/*.line; do [ -f "$f" ] &&
  tail -n +2 "$f" | awk -v about="kept	$(stat -c %Y "$f")" '""" + _LINE.replace("'", "'\\''") + r"""'; done
for f in $(printf '%s' "$files" | grep '/""" + OWN + r"""$'); do
  printf 'written\t%s\t%s\n' "$(stat -c %Y "$f")" "$(sed -n 's/^# sst_account: made //p' "$f" | head -n 1)"
done
[ ! -e /etc/galvan/sst/next ] || echo next
for f in /etc/galvan/sst/before-*; do case $f in *-'*'|*.part) ;; *) printf 'begun\t%s\n' "${f#*/before-}" ;; esac; done
""" + KNOWN + _SHOWN + "true\n"
)  # fmt: skip


def auth(output: str) -> Auth:
    """Raises Unreadable where the host did not say all."""
    said: dict[str, list[list[str]]] = {}
    for line in output.splitlines():
        kind, *words = line.split("\t")
        said.setdefault(kind, []).append(words)
    try:
        ((user, behind),) = said["auth"]
        ((server, group),) = said["server"]
        places = tuple(
            Place(path, mode, owner, name, Behind(what)) for path, mode, owner, name, what in said.get("place", [])
        )
        kept = tuple(Kept(name, Behind(what), int(at)) for at, name, what in said.get("kept", []))
        shown = tuple(dict.fromkeys((kind, where) for kind, where in said.get("shown", [])))
        begun = max((of for (of,) in said.get("begun", [])), default="")
        written, stamp = max(((int(at), of) for at, of in said.get("written", [])), default=(0, ""))
    except (KeyError, ValueError) as wrong:
        raise Unreadable(f"the host does not say which account its transfers use: {output[:120]!r}") from wrong
    return Auth(user, Behind(behind), server, group, places, kept, shown, written, stamp, "next" in said, begun)


def named(output: str) -> State:
    """What a step compares: the account of the next start, and how many lines of others name one."""
    seen = auth(output)
    own = next((place for place in seen.places if place.own), None)
    return {
        "named": "" if seen.behind is Behind.UNSET else f"{seen.user}:{'' if seen.behind is Behind.NOTHING else seen.behind}",
        "foreign": len(seen.foreign),
        "own": f"{own.mode} {own.owner}" if own else None,
        "made": seen.stamp,
        "next": "yes" if seen.half else "no",
        "begun": seen.begun,
    }  # fmt: skip


AUTH: Fact[Auth] = Fact("sst_account.auth", Shell(_QUERY), auth)
NAMED: Fact[State] = Fact("sst_account.named", AUTH.query, named)


@dataclass(frozen=True, slots=True)
class Reader:
    """The account that read, at a donor, the data that lie on this host, and when; empty where no backup noted it."""

    user: str = ""
    at: int = 0


def reader(output: str) -> Reader:
    """
    >>> reader("mysql\\t1795818457\\n")
    Reader(user='mysql', at=1795818457)
    """
    for user, at in rows(output, 2):
        return Reader(user, int(at))
    return Reader()


READER: Fact[Reader] = Fact(
    "sst_account.reader",
    Shell(
        r"""d=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--datadir=//p' | tail -n 1); d=${d:-/var/lib/mysql}
for f in "${d%/}/mariadb_backup_info" "${d%/}/xtrabackup_info"; do [ -f "$f" ] || continue
  printf '%s\t%s\n' "$(sed -n 's/^tool_command = .*--user=\([^ ]*\).*/\1/p' "$f")" "$(stat -c %Y "$f")"; break
done"""
    ),
    reader,
    stable=False,
)
