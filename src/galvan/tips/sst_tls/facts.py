"""What a host has for state transfers: its scripts, its tools, and whether its material fits by the scripts' own checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from galvan.cluster.facts import lines
from galvan.cluster.transfer import End
from galvan.model import Fact, Shell, State, Unreadable

DIRECTORIES = "/usr/local/sbin /usr/local/bin /usr/sbin /usr/bin"
"""The PATH of a unit of systemd, on which the server looks for wsrep_sst_METHOD."""
LIBRARY = "common"
"""wsrep_sst_common is no method; every other script reads it."""


@dataclass(frozen=True, slots=True)
class Script:
    """One that a donor would run for whoever asks for its method. `real`: what a link leads to."""

    method: str
    path: str
    real: str
    mode: int
    digest: str

    @property
    def runs(self) -> bool:
        """May the server's user run it, which is neither its owner nor of its group?"""
        return bool(self.mode & 0o001)


_SCRIPTS = f"""
set -- $(find -L {DIRECTORIES} -maxdepth 1 -type f -name 'wsrep_sst_*' ! -name '*.*' 2>/dev/null)
[ $# -gt 0 ] || exit 0
printf '%s\\n' "$@"; readlink -f "$@"; stat -L -c %a "$@"; sha256sum "$@" | cut -c1-64"""


def scripts(output: str) -> Mapping[str, Script]:
    """By method; the first on the PATH that runs counts, as it does for the server's shell. The output is four blocks of
    equal length: paths, what they lead to, modes, digests.

    >>> scripts("/usr/bin/wsrep_sst_rsync\\n/usr/bin/wsrep_sst_rsync\\n755\\nab")["rsync"].runs
    True
    """
    said = output.splitlines()
    each, rest = divmod(len(said), 4)
    blocks = [said[part * each : (part + 1) * each] for part in range(4)]
    if rest or not all(mode.isdigit() for mode in blocks[2]):
        raise Unreadable(f"{len(said)} lines about transfer scripts do not fit together")
    found: dict[str, Script] = {}
    for path, real, mode, digest in zip(*blocks, strict=True):
        name = path.rpartition("/wsrep_sst_")[2]
        if name != LIBRARY and not (name in found and found[name].runs):
            found[name] = Script(name, path, real, int(mode, 8), digest)
    return found


SCRIPTS: Fact[Mapping[str, Script]] = Fact("sst.scripts", Shell(_SCRIPTS), scripts)

METHODS: Fact[State] = Fact(
    "sst.methods",
    SCRIPTS.query,
    lambda output: {
        name: f"{'runs' if script.runs else 'shut'} {script.digest}" for name, script in scripts(output).items()
    },
)
"""By method: does its script run for whoever asks, and what it holds."""

TOOLS: Fact[State] = Fact(
    "sst.tools",
    Shell(
        "v=$(socat -V 2>/dev/null) && { echo \"socat=$(printf '%s\\n' \"$v\" | sed -n 's/^socat version \\([0-9.]*\\).*/\\1/p')\"; "
        "case $v in *'WITH_OPENSSL 1'*) echo socat_tls=yes;; *) echo socat_tls=no;; esac; } || echo socat=no\n"
        "case $(socat -hhh 2>/dev/null) in *openssl-min-proto-version*) echo socat_floor=yes;; *) echo socat_floor=no;; esac\n"
        "for t in stunnel rsync mariabackup xtrabackup openssl bash; do command -v $t >/dev/null && echo $t=yes || echo $t=no; done\n"
        "command -v dpkg-statoverride >/dev/null && echo lasting=dpkg || echo lasting=no\n"
        "b=$(command -v mariadb-backup || command -v mariabackup) || exit 0\n"
        'w=$("$b" --print-param 2>&1 >/dev/null) && echo options=yes || echo "options=$(printf "%s" "$w" | tail -n 1 | cut -d = -f 1)"'
    ),
    lines,
)
"""`lasting`: with what a mode outlives the next upgrade of the package. `options`: does the backup program itself take what stands in its groups of
the option files? Its transfer script reads words there (`encrypt`) at which the program ends; the value is left out, for it may be a key."""

_FIT = r"""
command -v openssl >/dev/null || { echo 'openssl is not installed' >&2; exit 1; }
as='setpriv --reuid mysql --regid mysql --init-groups'
$as true 2>/dev/null || as='runuser -u mysql --'
SSL_CERT_DIR=/nonexistent SSL_CERT_FILE=/nonexistent; export SSL_CERT_DIR SSL_CERT_FILE
for g in --mysqld sst xtrabackup mariabackup; do my_print_defaults $g 2>/dev/null | sed "s/^--/$g /"; done | awk '
function of(groups, name, i, each, n) {
  n = split(groups, each, " ")
  for (i = 1; i <= n; i++) if (said[each[i], name] != "") return said[each[i], name]
}
function either(one, other) { return one == "" ? other : one }
function ca(groups, role) { return either(of(groups, "ssl-" role "ca"), of(groups, "ssl-" role "capath")) }
function pair(a, c, k) { if (!seen[a, c, k]++) print a "|" c "|" k }
{ at = index($0, "="); name = tolower(substr($0, length($1) + 2, at - length($1) - 2)); gsub(/_/, "-", name); sub(/^loose-/, "", name)
  if (at) said[$1, name] = substr($0, at + 1) }
END { families[1] = "--mysqld sst"; families[2] = families[1] " xtrabackup mariabackup"
  for (f = 1; f <= 2; f++) { groups = families[f]
    a = either(of("sst", "tca"), of("sst", "tcapath")); c = of("sst", "tcert"); k = of("sst", "tkey")
    if (a c k == "") { a = ca(groups, ""); c = of(groups, "ssl-cert"); k = of(groups, "ssl-key") }
    pair(a, c, k)
    for (r = 1; r <= 2; r++) { role = r == 1 ? "server-" : "client-"
      pair(either(ca(groups, role), a), either(of(groups, "ssl-" role "cert"), c), either(of(groups, "ssl-" role "key"), k)) } } }' |
while IFS='|' read -r ca cert key; do
  echo "ca=$ca"; echo "cert=$cert"; echo "key=$key"
  [ -n "$cert$key" ] || continue
  $as sh -c '
[ -r "$1" ] && [ -r "$2" ] && echo readable=yes || { echo readable=no; exit 0; }
a=$(openssl x509 -in "$1" -pubkey -noout 2>/dev/null); b=$(openssl pkey -in "$2" -passin pass: -pubout 2>/dev/null)
[ -n "$a" ] && [ "$a" = "$b" ] && echo fits=yes || echo fits=no
[ -n "$3" ] || exit 0
[ -d "$3" ] && o=-CApath || o=-CAfile
for p in sslserver sslclient; do
  w=$(openssl verify -purpose $p $o "$3" -untrusted "$1" "$1" 2>&1) && echo $p=yes || echo $p=$(printf "%s" "$w" | grep -m 1 error)
done' sh "$cert" "$key" "$ca" </dev/null
done
"""


def fits(output: str) -> Mapping[End, State]:
    """By what is shown and believed, each in the lines that begin with its authority.

    >>> fits("ca=/a\\ncert=/c\\nkey=/k\\nreadable=no\\nca=\\ncert=\\nkey=")[End("/a", "/c", "/k")]["readable"]
    'no'
    """
    said = output.splitlines()
    begin = [place for place, line in enumerate(said) if line.startswith("ca=")]
    each = [lines("\n".join(said[one:other])) for one, other in zip(begin, [*begin[1:], len(said)], strict=True)]
    return {End(*(str(block.get(name, "")) for name in ("ca", "cert", "key"))): block for block in each}


FIT: Fact[Mapping[End, State]] = Fact("sst.fit", Shell(_FIT), fits)
"""The checks that the scripts make before a transfer, made beforehand as the server's user, for all that any of its scripts
would show: is it readable, is the key the certificate's, does the authority accept it, for both ends of a connection."""
