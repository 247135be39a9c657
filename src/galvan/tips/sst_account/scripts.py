"""What is done on a host: a line of the owner's is taken out and put back, and the server is told what its files say.

No value passes here: each script reads the secret where it lies, and hands it on through a shell's own variables and standard input.
"""

from __future__ import annotations

from galvan.cluster.quote import sh
from galvan.cluster.transferauth import FILES
from galvan.model import Shell
from galvan.tips.sst_account.facts import KEPT, OWN

MARK = "# Galvan: wsrep_sst_auth stood here, and is kept in"
_NAMES = "^[[:space:]]*(loose[-_])?wsrep[-_]sst[-_]auth[[:space:]]*="
_TAKE = (
    FILES
    + r"""
umask 077; mkdir -p {{kept}}
for f in $(grep -liE {{names}} $files 2>/dev/null | grep -v {{own}}); do
  f=$(readlink -f "$f")
  while n=$(grep -niE {{names}} "$f" | head -n 1 | cut -d: -f1) && [ -n "$n" ]; do
    i=1; while [ -e {{kept}}/$i.line ]; do i=$((i + 1)); done
    { printf '%s\n' "$f"; sed -n "${n}p" "$f"; } >{{kept}}/$i.part; sync {{kept}}/$i.part; mv {{kept}}/$i.part {{kept}}/$i.line
    cp -a "$f" "$f.galvan-new"
    { head -n $((n - 1)) "$f"; printf '%s\n' {{mark}}" {{kept}}/$i.line"; tail -n +$((n + 1)) "$f"; } >"$f.galvan-new"
    sync "$f.galvan-new"; mv -f "$f.galvan-new" "$f"
  done
done
rmdir {{kept}} 2>/dev/null || true
"""
)
_PUT_BACK = r"""
for line in {{kept}}/*.line; do
  [ -f "$line" ] || continue
  f=$(head -n 1 "$line")
  n=$(grep -nxF {{mark}}" $line" "$f" 2>/dev/null | head -n 1 | cut -d: -f1)
  if [ -n "$n" ]; then
    cp -a "$f" "$f.galvan-new"
    { head -n $((n - 1)) "$f"; tail -n +2 "$line"; tail -n +$((n + 1)) "$f"; } >"$f.galvan-new"
    sync "$f.galvan-new"; mv -f "$f.galvan-new" "$f"
  fi
  rm -f "$line"
done
rmdir {{kept}} 2>/dev/null || true
"""
CLIENT = r"""k=
while IFS= read -r o; do case $o in --socket=*|--loose[-_]socket=*) k=${o#*=} ;; esac; done <<@given
$(my_print_defaults --mysqld 2>/dev/null)
@given
server() { $(command -v mariadb || command -v mysql) ${k:+--socket="$k"} --host=localhost --protocol=socket --no-auto-rehash -N -B --connect-timeout=5 --loose-disable-ssl-verify-server-cert; }
"""
"""`server` runs statements that come in on its standard input."""
_TELL = (
    CLIENT
    + r"""v=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--\(loose[-_]\)*wsrep[-_]sst[-_]auth=//Ip' | tail -n 1)
said=NULL
[ -z "$v" ] || said="'$(printf '%s' "$v" | sed "s/\\\\/\\\\\\\\/g; s/'/''/g")'"
server <<@tell
SET SESSION sql_mode='', sql_log_off=1;
SET GLOBAL wsrep_sst_auth=$said;
@tell
"""
)


def take_out() -> Shell:
    """Each line that names an account, in any file but Galvan's own, gives way to a mark; the line itself is kept, root-only.
    Harmless when done twice: what is a mark already names nothing."""
    return sh(_TAKE, kept=KEPT, own=f"/{OWN}$", names=_NAMES, mark=MARK)


def put_back() -> Shell:
    """The lines come back where their marks are; whatever else was edited in the file since stays."""
    return sh(_PUT_BACK, kept=KEPT, mark=MARK)


def tell() -> Shell:
    """The running server is set to what its option files say now; without a line, to nothing. The general log does not see it."""
    return Shell(_TELL)
