"""What a balancer's host does to itself. Texts for the hosts; pure.

A password is made on the host, lies in files that only root can read, and reaches a program over its standard input. In no argument
and no environment. What MaxScale must read of it is written in the form of its own maxpasswd.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from galvan.cluster.maxscale import LISTED, LOGIN, MAIN, REST
from galvan.cluster.quote import sh
from galvan.model import Shell
from galvan.tips.load_balancer.maxscale.facts import HOME, KEEP, OWN
from galvan.tips.load_balancer.maxscale.render import MONITOR, SERVICE

_PREPARE = f"""h={HOME}; (umask 022; mkdir -p "${{h%/*}}"); umask 077; mkdir -p {KEEP} $h
u=$(systemctl show -p User --value maxscale 2>/dev/null || true); u=${{u:-maxscale}}
of() {{ sed -n "s/^[[:space:]]*$1[[:space:]]*[=:][[:space:]]*//p" {MAIN} | tail -n 1; }}
d=$(of datadir); d=${{d:-/var/lib/maxscale}}; s=$(of secretsdir); s=${{s:-$d}}; p=$(of persistdir); p=${{p:-$d/maxscale.cnf.d}}
"""
_SAY = r"""say() { NODE_TLS_REJECT_UNAUTHORIZED=0 mx 2>&1 | grep -v '^OK$' | grep -v '^[[:space:]]*$' || true; }
"""
"""maxctrl reads lines from its standard input and goes on after one that fails; what it says of that is what is left."""
_CHECK = f"""check() {{ # $1: Galvan's file or nothing, $2: the main file
  t=$(mktemp -d); cp "$2" $t/maxscale.cnf; mkdir -p $t/maxscale.cnf.d
  [ ! -d {MAIN}.d ] || cp -R {MAIN}.d/. $t/maxscale.cnf.d/
  rm -f $t/maxscale.cnf.d/galvan.cnf; [ -z "$1" ] || cp "$1" $t/maxscale.cnf.d/galvan.cnf
  chown -R "$u" $t
  maxscale --config=$t/maxscale.cnf --config-check --user="$u" >$t/said 2>&1 || {{
    grep -E '(error|alert) *:' $t/said | tail -n 4 >&2; echo 'MaxScale refuses this configuration; nothing was changed' >&2; rm -rf $t; exit 1; }}
  rm -rf $t
}}
"""
"""Before anything is put in place, by MaxScale itself, with all the files that it would read, as the user that it runs as."""

_MADE = f"""for w in {MONITOR} {SERVICE}; do
  [ -s {KEEP}/$w.pw ] || {{ {{ printf Gv; openssl rand -hex 24; }} >{KEEP}/$w.new; mv {KEEP}/$w.new {KEEP}/$w.pw; }}
done
"""
"""Not of hexadecimal digits alone: where MaxScale has a key it decrypts such a password a second time (seen, 23.08.6)."""
DIGESTS = Shell(
    f"umask 077; mkdir -p {KEEP}\n"
    + _MADE
    + f"""for w in {MONITOR} {SERVICE}; do
  d=$(tr -d '\\n' <{KEEP}/$w.pw | openssl dgst -sha1 -binary | openssl dgst -sha1 -r | cut -d' ' -f1 | tr a-f A-F)
  printf '%s %s\\n' "$w" "$d"
done
"""
)
"""The passwords of both accounts, made where there are none yet, and what a server would store of each: `SHA1(SHA1())`. Only for `Sealed`."""

PASSWORDS = Shell(
    _PREPARE
    + _MADE
    + f"""if [ ! -e "$s/.secrets" ]; then
  bad=$(grep -hsE '^[[:space:]]*(password|passwd|monitorpw)[[:space:]]*[=:][[:space:]]*[0-9A-Fa-f]+[[:space:]]*$' {MAIN} $(find {MAIN}.d "$p" -name '*.cnf' 2>/dev/null) | wc -l)
  [ "$bad" = 0 ] || {{ echo "$bad passwords in MaxScale's files look encrypted although there is no key: with a key they would be read as such" >&2; exit 1; }}
  : >{KEEP}/key.new; maxkeys --user="$u" "$s" >/dev/null
fi
"""
)
"""Random passwords, and a key for MaxScale's own form of them where there was none. MaxScale reads a new key when it starts, not before."""


def put(template: str, now: Mapping[str, tuple[str, str]], removal: Sequence[str], mark: str) -> tuple[Shell, ...]:
    """Fills the slots, has MaxScale check the whole, keeps the file under its mark, and puts it in place. It is read at the next start;
    `load` brings the same to life at once. Also kept: how its objects are made, altered and taken away while MaxScale runs."""
    lines = "".join(f"{name}\t{made}\t{altered}\n" for name, (made, altered) in now.items())
    gone = "".join(f"{line}\n" for line in removal)
    compose = (
        _PREPARE + _CHECK + f"k={KEEP}/{_mark(mark)}\n"
        f"for w in {MONITOR} {SERVICE}; do\n"
        f'  e=$(maxpasswd -i "$s" <{KEEP}/$w.pw)\n'
        "  case $e in ''|*[!0-9A-Fa-f]*) echo 'maxpasswd did not encrypt' >&2; exit 1 ;; esac\n"
        f"  echo \"$e\" >{KEEP}/$w.enc\ndone\n"
        f"cat >$k.now <<'@now'\n{lines}@now\ncat >$k.gone <<'@gone'\n{gone}@gone\n"
        f"read -r m <{KEEP}/{MONITOR}.enc; read -r v <{KEEP}/{SERVICE}.enc\n"
        "while IFS= read -r l; do case $l in "
        f"password=@{MONITOR}@) printf 'password=%s\\n' \"$m\" ;; password=@{SERVICE}@) printf 'password=%s\\n' \"$v\" ;; "
        f"*) printf '%s\\n' \"$l\" ;; esac; done >$k.cnf <<'@file'\n{template}@file\n"
        f'check $k.cnf {MAIN}\n'
    )  # fmt: skip
    return Shell(compose), _place(mark)


def _mark(mark: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{16}", mark):
        raise ValueError(mark)
    return mark


def _place(mark: str) -> Shell:
    """One that was composed here. The file is MaxScale's to read, and nobody else's."""
    return Shell(
        _PREPARE + f"k={KEEP}/{_mark(mark)}.cnf; [ -s $k ]\nmkdir -p {MAIN}.d; chmod go+rx {MAIN}.d\n"
        f'cp $k {OWN}.galvan-new; chown "root:$(id -gn $u)" {OWN}.galvan-new; chmod 640 {OWN}.galvan-new\n'
        f"mv -f {OWN}.galvan-new {OWN}; sync {MAIN}.d\n"
    )


def put_back(before: str) -> tuple[Shell, ...]:
    """The file that lay there, or none."""
    return (_place(before),) if before else (Shell(f"rm -f {OWN}"),)


def load(mark: str) -> Shell:
    """Brings the file's objects to life without a restart: what is not there is made, what is there is altered. MaxScale keeps copies of
    what was changed while it ran, and they would hide the file from it: those of Galvan's objects are taken away, but for a filter's,
    whose mode lives there alone."""
    return Shell(
        _PREPARE + REST + _SAY + f"k={KEEP}/{_mark(mark)}\n"
        f"have=$({LISTED})\n"
        f"read -r m <{KEEP}/{MONITOR}.enc; read -r v <{KEEP}/{SERVICE}.enc\n"
        "while IFS='\t' read -r name made altered; do\n"
        '  printf \'%s\\n\' "$have" | grep -qxF "$name" && l=$altered || l=$made\n'
        f'  case $l in *@{MONITOR}@*) l="${{l%%@{MONITOR}@*}}$m${{l#*@{MONITOR}@}}" ;; *@{SERVICE}@*) l="${{l%%@{SERVICE}@*}}$v${{l#*@{SERVICE}@}}" ;; esac\n'
        "  printf '%s\\n' \"$l\"\ndone <$k.now >$k.say\n"
        "wrong=$(say <$k.say); rm -f $k.say\n"
        '[ -z "$wrong" ] || { printf \'%s\\n\' "$wrong" | grep -v -i password | tail -n 6 >&2; exit 1; }\n'
        'find "$p" -maxdepth 1 -name "galvan-*.cnf" 2>/dev/null | while IFS= read -r f; do grep -qi "^type=filter" "$f" || rm -f "$f"; done\n'
    )


def unload(mark: str, before: str) -> Shell:
    """Takes away what `load` made; what was there before is brought back by `load` of its own mark."""
    keep = f"cut -f1 {KEEP}/{_mark(before)}.now" if before else "true"
    return Shell(
        f"[ -e {KEEP}/{_mark(mark)}.gone ] || exit 0\n" + _PREPARE + REST + _SAY + f"keep=$({keep})\n"
        f"while IFS= read -r l; do set -- $l; printf '%s\\n' \"$keep\" | grep -qxF \"$3\" || printf '%s\\n' \"$l\"; done <{KEEP}/{_mark(mark)}.gone | say >/dev/null\n"
        'for o in $(' + f"cut -f1 {KEEP}/{mark}.now" + '); do printf "%s\\n" "$keep" | grep -qxF "$o" || rm -f "$p/$o.cnf"; done\n'
    )  # fmt: skip


_RESTART = f"""timeout 60 systemctl restart maxscale || {{ journalctl -u maxscale -n 50 -o cat --no-pager | grep -E '(error|alert) *:' | tail -n 4 >&2; exit 1; }}
n=0; until mx list servers --tsv >/dev/null 2>&1 </dev/null; do n=$((n+1)); [ $n -lt 60 ] || {{ echo 'MaxScale does not answer' >&2; exit 1; }}; sleep 0.5; done
rm -f {KEEP}/key.new
"""
RESTART = Shell(REST + _RESTART)
"""Every session through this balancer is cut. Where it answers again within 30 s it is done."""
REVIVE = Shell("! systemctl is-active -q maxscale || exit 0\n" + REST + _RESTART)
"""On the way back from a start that failed: who runs goes on running."""


_READ_ACCOUNTS = """for s in {{services}}; do
  n=0; until mx api get "services/$s" data.attributes.users 2>/dev/null </dev/null | grep -q '"user"'; do
    n=$((n+1)); [ $n -lt 30 ] || { echo "MaxScale's service $s could not read the members' accounts" >&2; exit 1; }; sleep 1
  done
done
"""


def serves(servers: Sequence[str], services: Sequence[str] = ()) -> Shell:
    """MaxScale sees each of these servers as a member that serves, within 30 s; else what it sees instead is said. And each of these
    services has read the members' accounts: before that it lets nobody through."""
    return sh(
        REST
        + """n=0; until left=$(mx list servers --tsv 2>/dev/null </dev/null | awk -F '\\t' -v want={{names}} '
  { gsub(/^ +| +$/, "", $1); if ($5 ~ /Running/ && $5 ~ /Master|Slave|Synced|Write|Read/ && $5 !~ /Auth Error|Maintenance/) good[$1] = 1; else said[$1] = $5 }
  END { n = split(want, name, " "); for (i = 1; i <= n; i++) if (!(name[i] in good)) { bad = 1; printf "%s (%s) ", name[i], said[name[i]] }; exit bad }')
do n=$((n+1)); [ $n -lt 60 ] || { echo "MaxScale does not see these members serve: $left" >&2; exit 1; }; sleep 0.5; done
"""
        + (_READ_ACCOUNTS if services else ""),
        names=" ".join(servers), services=services,
    )  # fmt: skip


def login() -> Shell:
    """An administrator of Galvan's own, with a random password that only root on this host can read. Tried before it is kept."""
    new = LOGIN.replace(".cnf", ".new.cnf")
    return Shell(
        _PREPARE
        + REST
        + _SAY
        + f"[ ! -s {LOGIN} ] || {{ mx list users --tsv >/dev/null && exit 0; rm -f {LOGIN}; login=; }}\n"
        f"w=$(openssl rand -hex 24); printf '[maxctrl]\\nu=galvan\\np=%s\\n' \"$w\" >{new}\n"
        "mx list users --tsv | cut -f1 | tr -d ' ' | grep -qx galvan && l='alter user galvan' || l='create user galvan'\n"
        "t=; case $l in create*) t=--type=admin ;; esac\n"
        'printf \'%s %s %s\\n\' "$l" "$w" "$t" | say >/dev/null\n'
        f"login='-c {new}'; mx list users --tsv >/dev/null || {{ echo 'the new administrator of MaxScale cannot log in' >&2; rm -f {new}; exit 1; }}\n"
        f"mv -f {new} {LOGIN}\n"
    )


NO_LOGIN = Shell(REST + f"mx destroy user galvan || true; rm -f {LOGIN}\n")
"""Run while the default one still is there, or another; MaxScale keeps its last administrator by itself."""
CLOSE_DEFAULT = Shell(
    _PREPARE + REST + _SAY + f"[ -s {LOGIN} ] || {{ echo 'Galvan has no login of its own yet' >&2; exit 1; }}\n"
    f"w=$(openssl rand -hex 24); printf '%s\\n' \"$w\" >{KEEP}/admin.pw; printf 'alter user admin %s\\n' \"$w\" | say >/dev/null\n"
)
"""The default administrator stays and its password is a random one: MaxScale cannot lock. It lies on the host in admin.pw."""
OPEN_DEFAULT = Shell(REST + "mx alter user admin mariadb\n" + f"rm -f {KEEP}/admin.pw\n")
"""As it was: a word that everybody knows."""


def old_door(listener: str, settings: Sequence[tuple[str, str]], forget: bool = False) -> Shell:
    """A listener of the owner's refuses clear text from now on, at the same port. At run time; MaxScale remembers it. `forget`: it does
    not, so that the owner's own section is read again at the next start."""
    gone = 'rm -f "$p"/{{listener}}.cnf\n' if forget else ""
    return sh(
        _PREPARE + REST + "mx alter listener {{listener}} {{settings}}\n" + gone,
        listener=listener,
        settings=[f"{k}={v}" for k, v in settings],
    )


def server(name: str, settings: Sequence[tuple[str, str]], monitor: str, forget: bool = False) -> Shell:
    """A server of the owner's, changed while MaxScale runs; its monitor begins anew, for it keeps the connections that it has."""
    gone = 'rm -f "$p"/{{name}}.cnf\n' if forget else ""
    anew = "mx stop monitor {{monitor}}; mx start monitor {{monitor}}\n"
    return sh(
        _PREPARE + REST + "mx alter server {{name}} {{settings}}\n" + anew + gone,
        name=name,
        settings=[f"{k}={v}" for k, v in settings],
        monitor=monitor,
    )


def mark_core(settings: Sequence[tuple[str, str]], mark: str) -> tuple[Shell, ...]:
    """Marked lines in [maxscale] of the main file, the owner's own lines of the same names kept as comments. Checked by MaxScale before
    they are put in place; in force after the next start."""
    block = "".join(f"{key}={text}\n" for key, text in settings)
    return Shell(_PREPARE + f"cat >{KEEP}/{_mark(mark)}.core <<'@core'\n{block}@core\n"), remark_core(mark)


def remark_core(mark: str) -> Shell:
    """Lines that stood there before."""
    block = f"{KEEP}/{_mark(mark)}.core"
    return Shell(
        _PREPARE + _CHECK + f"[ -s {block} ]; [ -e {KEEP}/main.before ] || cp -p {MAIN} {KEEP}/main.before\n"
        f"cp -p {MAIN} {MAIN}.galvan-new\n" + unmarking(MAIN, f"{KEEP}/main.plain")
        + marking(f"{KEEP}/main.plain", block, f"{MAIN}.galvan-new")
        + f"check \"$([ ! -e {OWN} ] || echo {OWN})\" {MAIN}.galvan-new\nmv -f {MAIN}.galvan-new {MAIN}; rm -f {KEEP}/main.plain; sync /etc\n"
    )  # fmt: skip


def unmarking(source: str, target: str) -> str:
    return sh(
        "awk '/^# galvan begin/ {b=1; next} /^# galvan end/ {b=0; next} b {next} {sub(/^# galvan kept: /, \"\"); print}' {{source}} >{{target}}\n",
        source=source,
        target=target,
    ).text


_MARKING = r"""
function block(head,   l) { print "# galvan begin: the REST interface for this host alone, over TLS"; if (head) print "[maxscale]"
  while ((getline l < core) > 0) print l; close(core); print "# galvan end"; done = 1 }
BEGIN { while ((getline l < core) > 0) { sub(/=.*/, "", l); mine[l] = 1 }; close(core) }
{ text = $0; sub(/\r$/, "", text); gsub(/^[ \t]+|[ \t]+$/, "", text) }
text ~ /^\[/ { kept = 0; head = tolower(text); sub(/\].*/, "]", head); inside = (head == "[maxscale]"); print; if (inside && !done) block(0); next }
text == "" || text ~ /^[#;]/ { print; next }
$0 ~ /^[ \t]/ && kept { print "# galvan kept: " $0; next }
inside { i = match(text, /[=:]/); key = tolower(i ? substr(text, 1, i - 1) : text); gsub(/[ \t]+$/, "", key); gsub(/-/, "_", key)
  kept = (key in mine); if (kept) { print "# galvan kept: " $0; next } }
{ print }
END { if (!done) block(1) }
"""


def marking(source: str, core: str, target: str) -> str:
    return sh(
        "awk -v core={{core}} {{script}} {{source}} >{{target}}\n",
        core=core,
        script=_MARKING,
        source=source,
        target=target,
    ).text


UNMARK_CORE = Shell(
    _PREPARE
    + f"cp -p {MAIN} {MAIN}.galvan-new\n"
    + unmarking(MAIN, f"{MAIN}.galvan-new")
    + f"mv -f {MAIN}.galvan-new {MAIN}; sync /etc\n"
)
RELOAD_TLS = Shell(REST + "mx reload tls")
"""After a renewal: listeners, servers and the REST interface read their files again, without a restart."""
