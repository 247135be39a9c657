"""The script of each action. Pure; `edges.ssh` sends it over stdin, so no content and no secret is in an argv.

Before a file is first touched in a wave, what was there is kept on the host under
`/var/lib/galvan/kept/RUN/WAVE`, root-only: an old key never travels. Each change leaves a line in the host's log.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from galvan.cluster.precedence import GIVEN
from galvan.cluster.quote import sh
from galvan.edges.script import CLIENT, FIND_SOCKET
from galvan.model import How, PutFile, Restart, RestoreFile, Shell, Sql

HOME = "/var/lib/galvan"
STOP_LIMIT = 120
REFUSED = 75
"""Exit status of a restart whose gate refused: nothing was stopped."""

_PRELUDE = "set -eu; umask 077; PATH=$PATH:/usr/sbin:/sbin; LC_ALL=C; export LC_ALL\n"


def put(action: PutFile, content: str, run: str, wave: str) -> str:
    """`content` may be bytes that are no text, decoded with `surrogateescape`."""
    body = base64.encodebytes(content.encode("utf-8", "surrogateescape")).decode()
    return sh(
        _PRELUDE + _KEEP + "(umask 022; mkdir -p \"$(dirname {{path}})\")\n"
        "base64 -d >{{path}}.galvan-new <<'@content'\n" + body + "@content\n"
        "chown {{owner}} {{path}}.galvan-new; chmod {{mode}} {{path}}.galvan-new\n"
        "sync {{path}}.galvan-new; mv -f {{path}}.galvan-new {{path}}; sync \"$(dirname {{path}})\"\n" + _LOG,
        path=action.path, owner=action.owner, mode=f"{action.mode:o}", kept=f"{HOME}/kept/{run}/{wave}",
        said=f"{run} {wave}: wrote {action.path}",
    ).text  # fmt: skip


_KEEP = """
if [ ! -e {{kept}}{{path}} ] && [ ! -e {{kept}}{{path}}.absent ]; then
  mkdir -p "$(dirname {{kept}}{{path}})"
  if [ -e {{path}} ]; then cp -a {{path}} {{kept}}{{path}}.part; mv {{kept}}{{path}}.part {{kept}}{{path}}
  else : >{{kept}}{{path}}.absent; fi
  sync
fi
"""
_LOG = "logger -t galvan -- {{said}} || true\n"


def restore(action: RestoreFile, run: str) -> str:
    """From this run's kept copy, else from that of the run that this one undoes, else from the latest run that kept this
    wave's: two runs may have had a wave of one name, and each has to bring back what it replaced itself."""
    return sh(
        _PRELUDE + "d={{home}}/kept/{{run}}/{{wave}}\n"
        "[ -e \"$d\"{{path}} ] || [ -e \"$d\"{{path}}.absent ] || d={{home}}/kept/{{undone}}/{{wave}}\n"
        "if [ ! -e \"$d\"{{path}} ] && [ ! -e \"$d\"{{path}}.absent ]; then\n"
        "  d=$(ls -dt {{home}}/kept/*/{{wave}} 2>/dev/null | head -n 1)\n"
        "  [ -n \"$d\" ] || { echo \"nothing was kept of {{path}}\" >&2; exit 1; }\n"
        "fi\n"
        "if [ -e \"$d\"{{path}}.absent ]; then rm -f {{path}}\n"
        "else cp -a \"$d\"{{path}} {{path}}.galvan-new; mv -f {{path}}.galvan-new {{path}}; fi\n"
        "sync \"$(dirname {{path}})\" 2>/dev/null || sync\n" + _LOG,
        path=action.path, home=HOME, run=run, undone=run.removeprefix("undo-"), wave=action.wave, said=f"{run}: restored {action.path}",
    ).text  # fmt: skip


def restart(action: Restart, run: str) -> str:
    """A restart, or one of its halves. A server that does not start leaves the last lines of its log."""
    parts = {
        How.RESTART: FIND_SOCKET + "\nif systemctl is-active -q {{unit}}; then\n" + _STOP + "fi\n" + _START,
        How.STOP: "systemctl is-active -q {{unit}} || exit 0\n" + FIND_SOCKET + _STOP,
        How.START: _NO_LEFTOVER + _START,
        How.BOOTSTRAP: _BOOTSTRAP,
    }
    return sh(
        _PRELUDE + parts[action.how], unit=action.unit, gate=_SAYS, want=f"Primary 4 {action.members} 0",
        said=f"{run}: {action.how} of {action.unit}", stop=STOP_LIMIT, start=action.limit, refused=REFUSED,
    ).text  # fmt: skip


_SAYS = (
    "SELECT CONCAT_WS(' ', MAX(IF(VARIABLE_NAME='WSREP_CLUSTER_STATUS', VARIABLE_VALUE, NULL)), "
    "MAX(IF(VARIABLE_NAME='WSREP_LOCAL_STATE', VARIABLE_VALUE, NULL)), "
    "MAX(IF(VARIABLE_NAME='WSREP_CLUSTER_SIZE', VARIABLE_VALUE, NULL)), "
    "MAX(IF(VARIABLE_NAME='WSREP_DESYNC_COUNT', VARIABLE_VALUE, NULL))) FROM information_schema.GLOBAL_STATUS"
)
_STOP = rf"""
  seen=$({CLIENT} -e {{{{gate}}}} </dev/null) || exit {{{{refused}}}}
  [ "$seen" = {{{{want}}}} ] || {{ echo "the member says: $seen; wanted: "{{{{want}}}} >&2; exit {{{{refused}}}}; }}
  pgrep -f 'wsrep_ss[t]_[a-z]' >/dev/null && {{ echo 'a state transfer has begun' >&2; exit {{{{refused}}}}; }}
  logger -t galvan -- {{{{said}}}} || true
  timeout {{{{stop}}}} systemctl stop {{{{unit}}}} </dev/null || {{ echo "it does not stop: $(systemctl is-active {{{{unit}}}})" >&2; exit 1; }}
"""
"""Gate and stop in one exec; SIGKILL never."""
_SAY_WHY = "journalctl -u {{unit}} -n 200 -o cat --no-pager | grep -E 'ERROR|Failed|unknown|Aborting' | tail -n 4 >&2; exit 1; }\n"
_START = (
    r"""began=$(date +%s)
start() { systemctl reset-failed {{unit}} 2>/dev/null || true; timeout {{start}} systemctl start {{unit}} </dev/null; }
turned_away() { journalctl -u {{unit}} --since "@$began" -o cat --no-pager | grep -q 'A node with the same UUID already exists'; }
start || { turned_away && start; } || { turned_away && start; } || { """
    + _SAY_WHY
)
"""Among members of which some speak TLS only and some both, a joiner's link may be taken for a second one of its own, and it
is turned away for a name that it made up itself; at its next start it makes up another (seen with five hosts)."""
_NO_LEFTOVER = r"""logger -t galvan -- {{said}} || true
systemctl unset-environment _WSREP_NEW_CLUSTER
rm -f /run/mysqld/wsrep-new-cluster /run/mariadb-wsrep-new-cluster
"""
"""A start that must join does not bootstrap, whatever a killed shell left."""
_BOOTSTRAP = (
    r"""
[ "$(systemctl is-active {{unit}})" = inactive ] || [ "$(systemctl is-active {{unit}})" = failed ] || { echo 'it runs already' >&2; exit {{refused}}; }
trap 'systemctl unset-environment _WSREP_NEW_CLUSTER; rm -f /run/mysqld/wsrep-new-cluster /run/mariadb-wsrep-new-cluster' EXIT
trap 'exit 1' HUP INT TERM
"""
    + f"d=$({GIVEN.format(name='datadir')})\n"
    + r"""grep -q '^safe_to_bootstrap: 1' "${d:-/var/lib/mysql}/grastate.dat" || sed -i 's/^safe_to_bootstrap: .*/safe_to_bootstrap: 1/' "${d:-/var/lib/mysql}/grastate.dat"
logger -t galvan -- {{said}} || true
systemctl reset-failed {{unit}} 2>/dev/null || true
timeout {{start}} galera_new_cluster {{unit}} </dev/null || { """
    + _SAY_WHY
)
"""What tells the server to begin a new primary component is gone when this ends, however it ends. galera_new_cluster sets
it for the start that it makes; where Galera's own mark lies on another member, the choice of this one was the engine's."""


SQL_MODE = "/*M! 'NO_AUTO_CREATE_USER' */ /*!50706 '' */"
"""Without it MariaDB's GRANT makes the account where there is none, with no password: an undo may come after somebody's DROP USER."""


def statement(action: Sql, run: str) -> str:
    """The statement goes to the client's stdin; the log says that it ran, not what it said (it may hold a secret)."""
    return (
        _PRELUDE
        + f"{FIND_SOCKET}\n{CLIENT} <<'@sql'\nSET SESSION sql_mode={SQL_MODE}, wsrep_sync_wait=0;\n{action.text};\n@sql\n"
        + sh(_LOG, said=f"{run}: ran a statement").text
    )


def shell(action: Shell, run: str) -> str:
    return (
        _PRELUDE
        + f"timeout {action.limit} sh -eu <<'@shell'\n{{\n"
        + action.text
        + "\n} </dev/null\n@shell\n"
        + sh(_LOG, said=f"{run}: ran a command").text
    )


def seal(script: Shell, recipient: str) -> str:
    """What the script prints, as a CMS message that only the holder of the certificate's key can open. Its output stays in
    this shell: a builtin hands it on, so it is in no argv and in no file."""
    return (
        _PRELUDE
        + "certificate=$(mktemp)\ntrap 'rm -f \"$certificate\"' EXIT\ncat >\"$certificate\" <<'@recipient'\n"
        + recipient.strip("\n")
        + "\n@recipient\nplain=$(timeout 30 sh -eu <<'@sealed'\n{\n"
        + script.text
        + "\n} </dev/null\n@sealed\n)\n"
        + 'printf \'%s\\n\' "$plain" | openssl cms -encrypt -binary -aes-256-cbc -outform PEM "$certificate"\n'
    )


def in_step(statements: Sequence[str]) -> str:
    """Reads with what was committed anywhere before: SELECT waits for it (`wsrep_sync_wait=1`), CHECKSUM would not. A
    statement that fails leaves its answer out and no other's."""
    asked = "".join(f"{statement};\n" for statement in statements)
    setting = "SET SESSION sql_mode='', wsrep_sync_wait=1, max_statement_time=600; SELECT 1 INTO @in_step;"
    return _PRELUDE + f"{CLIENT} --force <<'@sql'\n{setting}\n{asked}@sql\n"


def preflight(own: str, unit_user: str) -> str:
    """Law 3, before a restart: what the server will read is what Galvan wrote, and it can read every file named there.

    Prints one complaint a line; prints nothing where all is well.
    """
    return sh(_PREFLIGHT, own=own, user=unit_user).text


_PREFLIGHT = r"""
[ -e {{own}} ] || exit 0
LC_ALL=C; export LC_ALL
run() { setpriv --reuid {{user}} --regid {{user}} --clear-groups -- "$@" 2>/dev/null; }
have=$(my_print_defaults --mysqld)
sed -n '/^\[mysqld\]/,/^\[[^m]/s/^\([a-z_]*\) = "\(.*\)"$/--\1=\2/p' {{own}} | while IFS= read -r line; do
  name=${line%%=*}
  last=$(printf '%s\n' "$have" | sed "s/^--\([^=]*\)/--\1/" | awk -v n="$name" '{k=$0; sub(/=.*/, "", k); k=tolower(k); gsub("-", "_", k); sub(/^__loose_/, "__", k); m=n; gsub("-", "_", m); if (k == m) l=$0} END {print l}')
  [ "${last#*=}" = "${line#*=}" ] || echo "${name#--} in {{own}} is shadowed: the server would read ${last#*=}"
done
unknown=$(sed -n '/^\[mysqld\]/,/^\[[^m]/s/^\([a-z_]*\) = .*/\1/p' {{own}} | while read -r name; do
  my_opt=$(echo "$name" | tr _ -); printf '%s\n' "$my_opt"; done)
loads=$(printf '%s\n' "$have" | sed -n 's/^--\(loose[-_]\)*plugin[-_]load[-_]add=/--plugin-load-add=/p')
known=$($(command -v mariadbd || command -v mysqld || echo /usr/sbin/mariadbd) --no-defaults $loads --verbose --help 2>/dev/null </dev/null | awk '/^  (-., )?--/{sub(/^ *(-., )?--/, ""); sub(/[=\[ ].*/, ""); print}')
for name in $unknown; do
  printf '%s\n' "$known" | grep -qx "$name" || case $name in wsrep-*|ssl-*|tls-*) printf '%s\n' "$known" | grep -q "^$name" || echo "the server does not know the option $name" ;; *) echo "the server does not know the option $name" ;; esac
done
files=$(grep -Eo '/[^";= ]*\.(pem|key|crt|cer)' {{own}} | sort -u)
for file in $files; do run test -r "$file" || echo "the server's user {{user}} cannot read $file"; done
for dir in $(for file in $files; do dirname "$file"; done | sort -u); do
  for file in cert key ca; do printf '%s\n' "$files" | grep -qxF "$dir/$file.pem" && [ -e "$dir/$file.pem" ] || continue 2; done
  [ "$(openssl x509 -in "$dir/cert.pem" -noout -pubkey)" = "$(openssl pkey -in "$dir/key.pem" -pubout)" ] || echo "$dir/key.pem does not belong to $dir/cert.pem"
  for purpose in sslserver sslclient; do
    openssl verify -purpose $purpose -CAfile "$dir/ca.pem" -untrusted "$dir/cert.pem" "$dir/cert.pem" >/dev/null 2>&1 || echo "$dir/cert.pem does not verify as $purpose under $dir/ca.pem"
  done
done
"""
