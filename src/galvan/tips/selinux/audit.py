"""The audit log of a host, as `auditd` keeps it or as the journal does, and the denials in it. The parser is pure.

A log that is damaged, full or lossy is said to be so and never taken for a quiet one: a denial that was not written down is a
program that will be refused one day and that nobody knew of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from galvan.cluster.quote import sh
from galvan.model import Fact, Shell, Unreadable
from galvan.model.denials import Denial

LEAST_KB = 8192
"""Below this much room a log may have stopped growing. An auditd that says nothing of itself stops at its own `admin_space_left`."""
_QUERY = r"""set +eu; k=/sys/fs/selinux/enforce; a=/sys/module/apparmor/parameters/enabled
[ -e $k ] || [ "$(cat $a 2>/dev/null)" = Y ] || { echo 'source none'; exit 0; }
since={{since}}; l=/var/log/audit/audit.log
if [ "$since" = usual ]; then
  since=$(($(date +%s) - 86400))
  for d in /var/lib/selinux/*/active/modules/400/galvan_galera /etc/apparmor.d/galvan_mariadbd; do [ -e "$d" ] && n=$(stat -c %Y "$d") && [ "$n" -gt "$since" ] && since=$n; done
fi
echo "since $since"
set -- $(auditctl -s 2>/dev/null | awk '{ v[$1] = $2 } END { print v["lost"] + 0, v["pid"] + 0 }'); echo "lost ${1:-0}"
tells() { # auditd's own word on itself, for which it is asked by a signal; older ones have none, and their settings must do
  s=/run/auditd.state; was=$(stat -c %.Y $s 2>/dev/null); kill -CONT "$1" 2>/dev/null || return
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    sleep 0.05
    [ "$(stat -c %.Y $s 2>/dev/null)" != "$was" ] && sed -n 's/^logging suspended = /suspended /p; s/^writing to logs = /writes /p' $s | grep . && return
  done
}
keep() { grep -aE 'type=(AVC|USER_AVC|SELINUX_ERR|PATH)|avc: |apparmor=' | grep -av 'apparmor="STATUS"' | once | tail -n 20000; }
once() { # a complaining AppArmor says the same thousands of times: the last of each counts, as what came since a moment is asked for
  awk -v since="$since" '!/apparmor=/ { print; next } match($0, /audit\([0-9]+/) && substr($0, RSTART + 6, RLENGTH - 6) + 0 < since + 0 { next }
    { said = $0; sub(/^.*audit\([^)]*\)/, "", said); gsub(/ pid=[0-9]+|\/[0-9]+\//, "", said)
      if (said in last) delete row[last[said]]; last[said] = NR; row[NR] = $0 }
    END { for (at = 1; at <= NR; at++) if (at in row) print row[at] }'; }
if [ -e $l ] && systemctl is-active -q auditd 2>/dev/null; then
  echo "free $(df -Pk ${l%/*} | awk 'NR==2{print $4}')"; tells "${2:-0}"
  sed -n 's/^admin_space_left *= *\([0-9]*\) *$/\1/p' /etc/audit/auditd.conf 2>/dev/null | awk '{ print "least", $1 * 1024 }'
  if [ -e $k ] && command -v ausearch >/dev/null; then # which passes over AppArmor's (seen, 3.0.9)
    echo 'source ausearch'; ausearch --input-logs --raw -m avc,user_avc,selinux_err -ts $(date -d "@$since" '+%x %X') </dev/null 2>"${TMPDIR:-/tmp}/galvan-said.$$" | keep
    w=$(grep -v 'no matches' "${TMPDIR:-/tmp}/galvan-said.$$"); rm -f "${TMPDIR:-/tmp}/galvan-said.$$"; [ -z "$w" ] || echo "wrong $w" | tr '\n' ' '
  else echo 'source audit.log'; cat $(ls -tr $l*) | keep; fi
else echo 'source journal'; echo "free $(df -Pk /var/log | awk 'NR==2{print $4}')"; journalctl --since "@$since" _TRANSPORT=audit + _TRANSPORT=kernel -o short-unix --no-pager 2>/dev/null | keep
fi; echo; echo 'end'"""
USUAL = "usual"
"""The last day, or since Galvan's module or profile was installed, whichever is less: what was noted under another says nothing."""


@dataclass(frozen=True, slots=True)
class Log:
    """`lost`: records that the kernel has dropped since it booted. `source`: none where no security module runs."""

    source: str
    since: float
    lost: int
    denials: tuple[Denial, ...]


def query(since: str = USUAL) -> Shell:
    """`since`: seconds since the epoch by the host's clock."""
    return sh(_QUERY, since=since)


_AUDIT = re.compile(r"audit\((\d+\.\d+):(\d+)\)")
_AVC = re.compile(r"avc:\s+(denied|granted)\s+\{([^}]*)\} for\s+(.*)")
_FIELD = re.compile(r'(\w+)=("[^"]*"|\S+)')
_PATH = re.compile(r'type=PATH .*?audit\((\d+\.\d+):(\d+)\).*? name="(/[^"]*)"')


def log(output: str) -> Log:
    """Raises Unreadable where the host cannot say what was refused."""
    rows = output.splitlines()
    said = {word: rest for word, _, rest in (row.partition(" ") for row in rows) if word in _WORDS}
    source = said.get("source", "")
    if source == "none":
        return Log("none", 0.0, 0, ())
    if not source or rows[-1:] != ["end"]:
        raise Unreadable("the audit log was not read to its end")
    if wrong := said.get("wrong"):
        raise Unreadable(f"the audit log cannot be read: {wrong}")
    if silent := _silent(said):
        raise Unreadable(f"{silent}: what is refused may not be written down")
    since = float(said.get("since") or 0)
    return Log(source, since, int(said.get("lost") or 0), tuple(d for d in denials(rows) if d.at >= since))


_WORDS = ("source", "since", "lost", "free", "wrong", "suspended", "writes", "least")


def _silent(said: Mapping[str, str]) -> str:
    """Why the log may not grow. Once auditd has suspended itself it stays so, however much room there is again (auditd.conf(5))."""
    free, least = int(said.get("free") or 0), int(said.get("least") or 0)
    if said.get("suspended") == "yes":
        return f"auditd has suspended its log ({free} kB of room there; when there is enough: systemctl kill -s USR2 auditd)"
    if said.get("writes") == "no":
        return "auditd keeps no log (write_logs = no)"
    if free < max(LEAST_KB, 0 if "suspended" in said else least):
        return f"the audit log has {free} kB of room"
    return ""


def denials(rows: Sequence[str]) -> Iterator[Denial]:
    """Each denial once, of SELinux and of AppArmor. Raises Unreadable on a record that names one and cannot be read."""
    paths = {f"{m.group(1)}:{m.group(2)}": m.group(3) for row in rows if (m := _PATH.search(row))}
    seen: set[Denial] = set()
    for row in rows:
        if "avc:" in row and "granted" not in row:
            found = _selinux(row, paths)
        elif 'apparmor="DENIED"' in row or 'apparmor="ALLOWED"' in row:
            found = _apparmor(row)
        else:
            continue
        if found not in seen:
            seen.add(found)
            yield found


def _selinux(row: str, paths: dict[str, str]) -> Denial:
    when, what = _AUDIT.search(row), _AVC.search(row)
    fields = {name: value.strip('"') for name, value in _FIELD.findall(what.group(3) if what else "")}
    if not when or not what or not {"scontext", "tcontext", "tclass"} <= fields.keys():
        raise _damaged(row)
    number = fields.get("src") or fields.get("dest") if "name_bind" in what.group(2) else fields.get("dest")
    path = (
        fields.get("path")
        or paths.get(f"{when.group(1)}:{when.group(2)}")
        or fields.get("name")
        or number
        or fields.get("capability", "")
    )
    kind, source = fields["tclass"].rstrip("'"), _kind(fields["scontext"], row)
    return Denial(
        float(when.group(1)), int(when.group(2)), frozenset(what.group(2).split()), _word(fields.get("comm", "?")),
        source, _target(fields["tcontext"], source, kind, row), kind, _word(path), fields.get("permissive", "0").rstrip("'") != "1",
    )  # fmt: skip


ANY_PROGRAM = "domain"
"""The name that every policy has for all programs together."""


def _target(context: str, source: str, kind: str, row: str) -> str:
    """What `ps` sees of a program under /proc carries the program's own type. Which programs run is another matter each day, so they
    are one target; Red Hat's policy of the server lets it look at all of them for the same reason."""
    target = _kind(context, row)
    seen_by_ps = kind in ("dir", "file", "lnk_file") and context.split(":")[1] != "object_r"
    return ANY_PROGRAM if seen_by_ps and target != source else target


def _apparmor(row: str) -> Denial:
    """The profile stands where SELinux has the type; what was asked for where it has the kind. A program that a complaining profile does not know
    runs under one of the kernel's own making (`PROFILE//null-PROGRAM`): it is the profile that has to name it."""
    when = _AUDIT.search(row)
    fields = {name: value.strip('"') for name, value in _FIELD.findall(row)}
    if not when or not {"operation", "profile"} <= fields.keys():
        raise _damaged(row)
    operation, profile = fields["operation"], fields["profile"].partition("//null-")[0]
    asked = fields.get("denied_mask") or fields.get("requested_mask") or fields.get("capname") or operation
    kind, thing = "file", fields.get("name", "")
    if "capname" in fields:
        kind, thing = "capability", fields["capname"]
    elif "family" in fields:
        kind, thing = "network", f"{fields['family']} {fields.get('sock_type', '')}".strip()
    elif operation in ("ptrace", "signal"):
        kind, thing = operation, fields.get("peer", "").partition("//null-")[0]
    return Denial(
        float(when.group(1)), int(when.group(2)), frozenset(asked.split()), _word(fields.get("comm", "?")), profile,
        operation, kind, _word(thing), 'apparmor="DENIED"' in row,
    )  # fmt: skip


def _kind(context: str, row: str) -> str:
    parts = context.split(":")
    if len(parts) < 3 or not re.fullmatch(r"\w+", parts[2]):
        raise _damaged(row)
    return parts[2]


def _word(said: str) -> str:
    """The kernel writes in hexadecimal what holds a blank or a quote.

    >>> _word("6D7920646972"), _word("mariadbd"), _word("4444")
    ('my dir', 'mariadbd', '4444')
    """
    if len(said) > 5 and len(said) % 2 == 0 and re.fullmatch(r"[0-9A-F]+", said):
        return bytes.fromhex(said).decode(errors="replace").replace("\0", " ")
    return said


def _damaged(row: str) -> Unreadable:
    shown = "".join(c if c.isprintable() else "?" for c in row)[:120]
    return Unreadable(f"the audit log holds a denial that cannot be read, so others may be lost too: {shown}")


DENIALS: Fact[Log] = Fact("selinux.denials", query(), log, stable=False)


def concerns(denial: Denial) -> bool:
    """Is it the server's, or does it keep somebody else from the server's own things? What a new process inherits from whoever
    started it is refused as a matter of course, and every policy is silent about it."""
    if denial.kind == "process" and denial.permissions <= {"noatsecure", "siginh", "rlimitinh"}:
        return False
    return "mysqld" in denial.source or "mariadb" in denial.source or "mysqld" in denial.target
