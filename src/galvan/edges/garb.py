"""The scripts around a restart of garbd, which answers no question: its log and its process are what there is. Pure."""

from __future__ import annotations

from galvan.cluster.arbitrator import OWN, UNIT, Setup
from galvan.cluster.provider import parse
from galvan.cluster.quote import sh
from galvan.edges.actions import REFUSED, STOP_LIMIT
from galvan.model import Restart

_LOG = f"journalctl _SYSTEMD_INVOCATION_ID=$(systemctl show {UNIT} -p InvocationID --value) -o cat --no-pager"
_RESTART = (
    "set -eu; umask 077; PATH=$PATH:/usr/sbin:/sbin; LC_ALL=C; export LC_ALL\n"
    "log() { " + _LOG + " 2>/dev/null || true; }\n"
    f"if systemctl is-active -q {UNIT}; then\n"
    "  seen=$(log | grep -o 'New COMPONENT: primary = .*' | tail -n 1)\n"
    "  case $seen in\n"
    '    ""|*"primary = yes"*"memb_num = "{{members}}) ;;\n'
    '    *) echo "the arbitrator says: $seen; wanted: a primary component of "{{members}} >&2; exit '
    + str(REFUSED)
    + " ;;\n"
    "  esac\n"
    "  logger -t galvan -- {{said}} || true\n"
    f'  timeout {{{{stop}}}} systemctl stop {UNIT} </dev/null || {{ echo "it does not stop: $(systemctl is-active {UNIT})" >&2; exit 1; }}\n'
    "fi\n"
    "systemctl daemon-reload\n"
    f"systemctl reset-failed {UNIT} 2>/dev/null || true\n"
    f"timeout {{{{start}}}} systemctl start {UNIT} </dev/null || {{ log | tail -n 4 >&2; exit 1; }}\n"
    "tries=0\n"
    "until log | grep -q 'Shifting JOINED -> SYNCED'; do\n"
    f"  systemctl is-active -q {UNIT} || {{ log | grep -E 'ERROR|FATAL' | tail -n 4 >&2; echo 'garbd did not stay up' >&2; exit 1; }}\n"
    "  tries=$((tries + 1)); [ $tries -lt 100 ] || break\n"
    "  sleep 0.3\n"
    "done\n"
)
_PREFLIGHT = r"""
LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin
[ -e {{own}} ] || exit 0
run() { setpriv --reuid {{user}} --regid "$(id -g {{user}})" --init-groups -- "$@" 2>/dev/null; }
for option in {{options}}; do
  grep -qaF -- "$option" /usr/bin/garbd || echo "garbd does not know the option $option"
done
for file in {{files}}; do run test -r "$file" || echo "garbd's user "{{user}}" cannot read $file"; done
for dir in $(for file in {{files}}; do dirname "$file"; done | sort -u); do
  [ -e "$dir/cert.pem" ] && [ -e "$dir/key.pem" ] || continue
  [ "$(openssl x509 -in "$dir/cert.pem" -noout -pubkey)" = "$(openssl pkey -in "$dir/key.pem" -pubout)" ] || echo "$dir/key.pem does not belong to $dir/cert.pem"
  for purpose in sslserver sslclient; do
    openssl verify -purpose $purpose -CAfile "$dir/ca.pem" "$dir/cert.pem" >/dev/null 2>&1 || echo "$dir/cert.pem does not verify as $purpose under $dir/ca.pem"
  done
done
"""


def restart(action: Restart, run: str) -> str:
    """Gate and stop in one exec, as far as garbd's own log knows; the members were asked just before. SIGKILL never:
    the unit's SIGINT lets garbd say good-bye, and a silent death stalls all writers until it is suspected.

    Ends when garbd says it has joined, or leaves it to the members to say so; fails where it did not stay up.
    """
    return sh(
        _RESTART, members=action.members, said=f"{run}: restart of {UNIT}", stop=STOP_LIMIT, start=action.limit
    ).text


def preflight(setup: Setup) -> str:
    """Law 3: the options are known to the binary, and garbd's user can read every file named. One complaint a line.

    Only Galvan's own options are asked for: the binary holds those of other layers in pieces, and the user's ran before.
    """
    options = parse(setup.options)
    files = [options[f"socket.ssl_{name}"] for name in ("ca", "cert", "key") if f"socket.ssl_{name}" in options]
    return sh(
        _PREFLIGHT,
        own=OWN,
        user=setup.user,
        options=[name for name in options if name.startswith("socket.")],
        files=files,
    ).text
