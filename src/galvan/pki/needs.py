"""The scripts that a host runs about its certificates: one makes a key and a request, one looks. Pure text.

POSIX sh and openssl (1.1.1 and later) only. A private key is made on its host and never leaves it. Each script is a
subshell of its own that reads /dev/null and leaves the caller's shell as it was.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from galvan.model import BadInput, Shell
from galvan.pki.names import LONGEST_NAME, printable
from galvan.pki.places import Place, at, on_server

_OWNER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*:[A-Za-z_][A-Za-z0-9_.-]*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def make_key_and_request(
    authority: str, common_name: str, owner: str = "mysql:mysql", *, renew: bool = False, place: Place | None = None,
    unit: str = "",
) -> Shell:  # fmt: skip
    """Makes an EC P-256 key where there is no good one, and a request for it. Running it again keeps a good key.

    `owner` (user:group) alone may read the key (0400); directories become root:group 0750. `renew` does the same
    beside the live key, in `place.new_key` and `place.new_request`. Without a `place` it is the server's. With a `unit`
    the owner is whoever that unit of systemd runs as, which only the host knows. A key file that openssl cannot read is kept as `KEY.unusable`. Fails with one line on stderr that says at what.
    """
    place = place or on_server(authority)
    if not _OWNER.fullmatch(owner):
        raise BadInput(f"{owner!r} is no owner: give user:group")
    if not common_name or printable(common_name) != common_name or len(common_name.encode()) > LONGEST_NAME:
        raise BadInput(f"{common_name!r} is no common name for a request: 1 to {LONGEST_NAME} bytes, no quotes")
    subject = "/CN=" + re.sub(r"([\\/+=])", r"\\\1", common_name)
    group = owner.split(":")[1]
    key, request = (place.new_key, place.new_request) if renew else (place.key, place.request)
    values = {
        "open": _parents(place.closed[0]),
        "closed": list(place.closed),
        "outermost": [place.closed[0]],
        "key": [key],
        "request": [request],
        "directory": [place.directory],
        "owner": [owner],
        "group": [group],
        "unit": [unit],
        "subject": [subject],
    }
    return Shell(_fill(_MAKE.replace("@whose", _UNITS_OWNER if unit else _OWNER_GIVEN), values))


def judge_material(
    directories: Sequence[str], mysql_user: str = "mysql", *, brought: bool = False, unit: str = ""
) -> Shell:
    """One read-only look at all directories, for `material.parse_material`. Needs root.

    `brought`: also at what the server's own option files name as `ssl_*` and `socket.ssl_*`, where that is not in one
    of the directories. A directory that is missing costs no process. Otherwise a handful (stat, awk, id, the shell of
    the mysql user), and for each key and certificate two of openssl as the mysql user: does the key open, and does the
    chain hold as a server's. What the certificate says, and what it may be used for as a client, is read from the
    certificate itself. Private keys are opened by openssl alone; of other files only certificate blocks are printed.
    Its output does not change from one run to the next while nothing changed, so that the fact is stable.
    `unit`: instead of the mysql user it is whoever that unit of systemd runs as.
    """
    if not _USER.fullmatch(mysql_user):
        raise BadInput(f"{mysql_user!r} is no name of a user")
    paths = [at(directory).directory for directory in directories]
    values = {
        "directories": paths,
        "certificates": [" ".join(f"{path}/cert.pem" for path in paths)],
        "user": [mysql_user],
        "program": [_fill(_AS_USER, {})],
    }
    values["unit"] = [unit]
    script = _JUDGE.replace("{{brought}}", _BROUGHT if brought else "")
    return Shell(_fill(script.replace("@whose", _UNITS_USER if unit else "user={{user}}"), values))


def _parents(directory: str) -> list[str]:
    parts = directory.split("/")[1:-1]
    return ["/" + "/".join(parts[: n + 1]) for n in range(len(parts))]


def _fill(template: str, values: dict[str, list[str]]) -> str:
    """Each `{{slot}}` becomes its values, one quoted word each; nothing in a value can break out."""

    def words(match: re.Match[str]) -> str:
        return " ".join(shlex.quote(value) for value in values[match.group(1)])

    return re.sub(r"\{\{(\w+)\}\}", words, template).strip("\n")


_UNITS_USER = "user=$(systemctl show {{unit}} -p User --value 2>/dev/null); user=${user:-root}"
_UNITS_OWNER = (
    _UNITS_USER
    + """
group=$(id -gn "$user" 2>/dev/null) || { echo "galvan: there is no user $user" >&2; exit 1; }
owner=$user:$group"""
)
_OWNER_GIVEN = "owner={{owner}}; group={{group}}"

# Failures are caught one by one: `set -e` sleeps wherever a caller puts the script behind `if`, `!`, `&&` or `||`.
_MAKE = r"""
(
set -u; umask 077; LC_ALL=C; PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH
key={{key}}; request={{request}}
@whose
fail() { printf 'galvan: %s\n' "$1" >&2; exit 1; }
good() { openssl pkey -in "$1" -passin pass: -noout 2>/dev/null; }
command -v openssl >/dev/null || fail 'openssl is not installed on this host'
for directory in {{open}}; do
  [ -d "$directory" ] || mkdir -m 0755 "$directory" || fail "cannot make $directory"
done
for directory in {{closed}}; do
  [ ! -L "$directory" ] || fail "$directory is a symbolic link; Galvan only keeps keys in directories of its own"
  [ -d "$directory" ] || mkdir "$directory" || fail "cannot make $directory"
  chown "root:$group" "$directory" && chmod 0750 "$directory" || fail "cannot give $directory to root:$group"
done
[ ! -L "$key" ] || fail "$key is a symbolic link; Galvan only keeps keys that are files of its own"
if [ -e "$key" ] && ! good "$key"; then
  chown root:root "$key" && chmod 0400 "$key" && mv -f "$key" "$key.unusable" || fail "cannot put the unusable $key aside"
fi
if [ ! -e "$key" ]; then
  rm -f "$key.making" || fail "cannot remove $key.making"
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve \
    -out "$key.making" >/dev/null && good "$key.making" || fail "openssl could not make a key in $key.making"
  chown "$owner" "$key.making" && chmod 0400 "$key.making" || fail "cannot give the key to $owner"
  sync "$key.making" && mv -f "$key.making" "$key" && sync {{directory}} || fail "cannot put $key in place"
fi
chown "$owner" "$key" && chmod 0400 "$key" || fail "cannot give $key to $owner"
rm -f "$request.conf" "$request.making" || fail "cannot remove $request.making"
printf '[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = galvan\n' >"$request.conf" || fail "cannot write $request.conf"
openssl req -new -sha256 -utf8 -batch -config "$request.conf" -key "$key" -passin pass: -subj {{subject}} \
  -out "$request.making" || fail "openssl could not make the request $request"
rm -f "$request.conf"
chmod 0644 "$request.making" && sync "$request.making" && mv -f "$request.making" "$request" && sync {{directory}} \
  || fail "cannot put $request in place"
if [ -e /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null; then
  restorecon -R {{outermost}} || fail "cannot label "{{outermost}}" for SELinux"
fi
) </dev/null
"""

# SSL_CERT_*: `openssl verify` would also trust what the system trusts, which neither Galera nor the server does; and
# `openssl x509` reads the system's whole bundle before it looks at one certificate, 25 ms of the 30 that it takes.
_TRUST_NOTHING = "SSL_CERT_DIR=/nonexistent; SSL_CERT_FILE=/nonexistent; export SSL_CERT_DIR SSL_CERT_FILE"

_JUDGE = (
    r"""
(
LC_ALL=C; PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH
"""
    + _TRUST_NOTHING
    + r"""
echo '@galvan-material 2'
@whose
set -f --
for d in {{directories}}; do
  if [ -d "$d" ]; then set -- "$@" "$d" "$d" "$d/cert.pem" "$d/key.pem" "$d/ca.pem"; else echo "@missing $d"; fi
done
{{brought}}
unable() { echo "@unable $1"; echo '@end'; exit 0; }
[ $# -gt 0 ] || { echo '@end'; exit 0; }
[ -O / ] || unable 'a look at keys needs root'
command -v openssl >/dev/null || unable 'openssl is not installed'
gid=$(id -g "$user" 2>/dev/null) || unable "there is no user $user"
echo "@user $user"
echo "@gid $gid"
names() { while [ $# -gt 4 ]; do echo "@at $1"; printf '%s\n' "$2" "$3" "$4" "$5"; shift 5; done; }
names "$@"
echo '@stat'
stat -L -c '%a:%g:%U:%G:%n' "$@" 2>/dev/null
certificates() {
  left=$#
  while [ "$left" -gt 0 ]; do
    for f in "$3" "$5"; do [ -f "$f" ] && [ -r "$f" ] && set -- "$@" "$f"; done
    shift 5; left=$((left - 5))
  done
  [ $# -eq 0 ] || awk '
    FNR == 1 { print "@pem " FILENAME; on = 0 }
    { sub(/\r$/, "") }
    /^-----BEGIN / { on = ($0 == "-----BEGIN CERTIFICATE-----") }
    on && FNR < 5000 && /^[-A-Za-z0-9+\/= ]+$/ { print }
    /^-----END / { on = 0 }' "$@"
}
certificates "$@"
as_user() {
  if command -v setpriv >/dev/null && setpriv --reuid "$user" --regid "$gid" --init-groups -- sh -c "$@" 2>/dev/null; then return 0; fi
  if command -v runuser >/dev/null && runuser -u "$user" -- sh -c "$@" 2>/dev/null; then return 0; fi
  su -s /bin/sh "$user" -c "$@" 2>/dev/null
}
as_user {{program}} sh "$@" || unable 'neither setpriv nor runuser nor su could become '"$user"
echo '@end'
) </dev/null
"""
)

# The last spelling of an option wins, dashes and underscores are the same, and a path that does not begin at the root
# begins at the data directory. A provider without socket.ssl_ca trusts its own certificate's file. PXC puts the
# server's files, or those that it made itself in the data directory, into the provider's options.
_BROUGHT = r"""
found=$(my_print_defaults --mysqld 2>/dev/null | awk -v known={{certificates}} '
  function full(path) { return path == "" ? "(none)" : path ~ /^\// ? path : data "/" path }
  function put(what, cert, key, ca, dir) {
    if (cert == "" && key == "" || (full(cert) in ours)) return
    dir = full(ca == "" ? cert : ca); sub(/\/[^\/]*$/, "", dir); if (dir == "") dir = "/"
    print "brought:" what; print dir; print full(cert); print full(key); print full(ca)
  }
  function trim(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }
  BEGIN { n = split(known, word, " "); for (i = 1; i <= n; i++) ours[word[i]] }
  {
    at = index($0, "="); name = at ? substr($0, 3, at - 3) : substr($0, 3); name = tolower(name); gsub(/-/, "_", name)
    sub(/^loose_/, "", name); said[name] = at ? substr($0, at + 1) : "ON"
  }
  END {
    data = said["datadir"] == "" ? "/var/lib/mysql" : said["datadir"]; sub(/\/+$/, "", data)
    put("client", said["ssl_cert"], said["ssl_key"], said["ssl_ca"])
    n = split(said["wsrep_provider_options"], part, ";")
    for (i = 1; i <= n; i++) if (at = index(part[i], "=")) of[trim(substr(part[i], 1, at - 1))] = trim(substr(part[i], at + 1))
    cert = of["socket.ssl_cert"]; key = of["socket.ssl_key"]; ca = of["socket.ssl_ca"]
    if (cert == "" && key == "" && tolower(said["pxc_encrypt_cluster_traffic"]) ~ /^(on|1|true|yes)$/) {
      cert = said["ssl_cert"] == "" ? "server-cert.pem" : said["ssl_cert"]
      key = said["ssl_key"] == "" ? "server-key.pem" : said["ssl_key"]; ca = said["ssl_ca"] == "" ? "ca.pem" : said["ssl_ca"]
    }
    put("cluster", cert, key, ca == "" ? cert : ca)
  }')
IFS='
'
set -- "$@" $found
unset IFS
"""

_AS_USER = (
    _TRUST_NOTHING  # once more: su may not hand the environment on
    + r"""
while [ $# -gt 4 ]; do
  echo "@as-user $1"
  [ -f "$5" ] && [ -r "$5" ] && echo 'reads ca'
  [ -f "$3" ] && [ -r "$3" ] && echo 'reads cert'
  if [ -f "$4" ] && [ -r "$4" ]; then
    echo 'reads key'; echo "@key $1"
    openssl pkey -in "$4" -passin pass: -pubout 2>/dev/null
  fi
  if [ -f "$5" ] && [ -r "$5" ] && [ -f "$3" ] && [ -r "$3" ]; then
    echo "@verify $1"
    openssl verify -purpose sslserver -no-CApath -CAfile "$5" -untrusted "$3" "$3" 2>&1
  fi
  shift 5
done
exit 0
"""
)
