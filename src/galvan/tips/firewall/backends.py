"""How a wall is put up, taken down and kept by each kind of firewall. Texts for the hosts; pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from galvan.cluster.quote import sh
from galvan.cluster.walls import LISTED, LIVE, RULES, UNIT
from galvan.model import Action, PutFile, RestoreFile, Shell
from galvan.tips.firewall import firewalld, iptables, nft
from galvan.tips.firewall.wall import Wall

KEEP = "/var/lib/galvan/firewall"
"""Every wall that was ever loaded lies here under its digest, so that the one before can be put back."""
RUN = "/run/galvan"
_PREPARE = f"umask 077; mkdir -p {KEEP} {RUN}\n"
_UNIT = f"/etc/systemd/system/{UNIT}"
_BY_LINE = "\nset -f; IFS='\n'\n"  # a rich rule is a line with blanks in it
NFT, IPTABLES, FIREWALLD = "nft", "iptables", "firewalld"


@dataclass(frozen=True, slots=True)
class Carrier:
    """What carries the wall on a host. `after`: units that load rules of their own and would wipe it; `count`: nft or recent."""

    kind: str
    after: tuple[str, ...] = ()
    count: str = NFT


def mark_of(carrier: Carrier, wall: Wall) -> str:
    """Height and digest, as the host will tell them of this wall."""
    if carrier.kind == FIREWALLD:
        body = "".join(f"{line}\n" for line in sorted(firewalld.rules(wall)))
        return f"{wall.height} {hashlib.sha256(body.encode()).hexdigest()[:16]}"
    return _mark_in(nft.wall(wall) if carrier.kind == NFT else iptables.wall(wall, "ip"))


def watch_of(carrier: Carrier, wall: Wall) -> str:
    return _mark_in(nft.watch(wall) if carrier.count == NFT else iptables.watch(wall, "ip"))


def _mark_in(text: str) -> str:
    match = re.search(r'"galvan ([a-z]+ [0-9a-f]+)"', text)
    assert match, "every wall carries its mark"
    return match[1]


def _texts(carrier: Carrier, wall: Wall) -> dict[str, str]:
    """Name and text of the rule files."""
    if carrier.kind == NFT:
        return {"nft": nft.wall(wall)}
    if carrier.kind == IPTABLES:
        return {"v4": iptables.wall(wall, "ip"), "v6": iptables.wall(wall, "ip6")}
    return {"rich": "".join(f"{line}\n" for line in firewalld.rules(wall))}


def load(carrier: Carrier, wall: Wall) -> tuple[Shell, ...]:
    """Puts the wall up in place of whatever wall of Galvan's stands there: whole, or not at all. Only the last of these can cut
    somebody off."""
    name = mark_of(carrier, wall).replace(" ", "-")
    put = "".join(
        f"cat >{KEEP}/{name}.{kind} <<'@rules'\n{text}@rules\n" for kind, text in _texts(carrier, wall).items()
    )
    first, last = _again(carrier.kind, name)
    return Shell(_PREPARE + put + first), Shell(_PREPARE + last)


def reload(kind: str, mark: str) -> tuple[Shell, ...]:
    """A wall that was loaded here before; as `load`."""
    name = mark.replace(" ", "-")
    first, last = _again(kind, name)
    there = sh("ls {{kept}}.* >/dev/null\n", kept=f"{KEEP}/{name}").text
    return Shell(_PREPARE + there + first), Shell(_PREPARE + last)


def _again(kind: str, name: str) -> tuple[str, str]:
    """From the files that lie ready: what cuts nobody off, and then what may."""
    if not re.fullmatch(r"[a-z]+-[0-9a-f]+", name):
        raise ValueError(name)
    parts = {
        NFT: (_NFT_FIRST, _NFT),
        IPTABLES: (_IPTABLES_FIRST, _IPTABLES),
        FIREWALLD: (_FIREWALLD_FIRST, _FIREWALLD),
    }[kind]
    first, last = (part.replace("{{name}}", f"{KEEP}/{name}") for part in parts)
    return first, last


_NFT_FIRST = "nft -c -f {{name}}.nft\n"
_NFT = f"""\
nft -f {{{{name}}}}.nft
{LISTED["nft"]} | sha256sum >{LIVE}
"""
_IPTABLES_FIRST = "iptables-restore -n --test <{{name}}.v4; ip6tables-restore -n --test <{{name}}.v6\n"
_IPTABLES = f"""\
old4=$(iptables-save -t filter | grep '^\\(:GALVAN \\|-A GALVAN \\)' || true)
iptables-restore -n <{{{{name}}}}.v4
ip6tables-restore -n <{{{{name}}}}.v6 || {{
  iptables -D INPUT -j GALVAN 2>/dev/null || true
  printf '*filter\\n:GALVAN - [0:0]\\n%s\\nCOMMIT\\n' "$(echo "$old4" | grep '^-A' || true)" | iptables-restore -n
  [ -n "$old4" ] && iptables -I INPUT -j GALVAN; echo 'ip6tables refused the rules; those of iptables were put back' >&2; exit 1; }}
for t in iptables ip6tables; do
  $t -I INPUT -j GALVAN
  while [ "$($t -S INPUT | grep -c -- '-j GALVAN$')" -gt 1 ]; do $t -D INPUT "$($t -S INPUT | sed 1d | grep -n -- '-j GALVAN$' | tail -n 1 | cut -d: -f1)"; done
done
{{ {LISTED["iptables"]}; }} | sha256sum >{LIVE}
"""
_FIREWALLD_FIRST = (
    _BY_LINE
    + r"""add= ; had=$(firewall-cmd --policy galvan --list-rich-rules)
: >{{name}}.drop; : >{{name}}.less; : >{{name}}.gone
for rule in $(cat {{name}}.rich); do
  printf '%s\n' "$had" | grep -qxF -- "$rule" || case $rule in *' drop') printf '%s\n' "--add-rich-rule=$rule" >>{{name}}.drop ;; *) add="$add--add-rich-rule=$rule
" ;; esac
done
for rule in $had; do grep -qxF -- "$rule" {{name}}.rich || case $rule in *' drop') f=less ;; *) f=gone ;; esac
  grep -qxF -- "$rule" {{name}}.rich || printf '%s\n' "--remove-rich-rule=$rule" >>{{name}}.$f; done
[ -z "$add" ] || firewall-cmd -q --policy galvan $add
"""
)
_FIREWALLD = (
    _BY_LINE
    + r"""for f in less drop gone; do [ ! -s {{name}}.$f ] || firewall-cmd -q --policy galvan $(cat {{name}}.$f); done
"""
)
"""What is let in comes before what is dropped, and nothing that lets in goes before the new rules are there. The first part takes its
time and cuts nobody off; the second is a command or two."""


def unload(kind: str) -> tuple[Shell, ...]:
    """As if there had never been a wall."""
    return (Shell({NFT: _NO_NFT, IPTABLES: _NO_IPTABLES, FIREWALLD: _NO_FIREWALLD}[kind]),)


_NO_NFT = f"nft list table inet galvan >/dev/null 2>&1 && nft delete table inet galvan; rm -f {LIVE}"
_NO_IPTABLES = f"""\
for t in iptables ip6tables; do
  while $t -D INPUT -j GALVAN 2>/dev/null; do :; done
  $t -F GALVAN 2>/dev/null || true; $t -X GALVAN 2>/dev/null || true
done; rm -f {LIVE}"""
_NO_FIREWALLD = (
    _BY_LINE
    + r"""drops= ; rest=
for rule in $(firewall-cmd --policy galvan --list-rich-rules); do
  case $rule in *' drop') drops="$drops--remove-rich-rule=$rule
" ;; *) rest="$rest--remove-rich-rule=$rule
" ;; esac
done
[ -z "$drops" ] || firewall-cmd -q --policy galvan $drops
[ -z "$rest" ] || firewall-cmd -q --policy galvan $rest
"""
)


def count(carrier: Carrier, wall: Wall) -> Shell:
    """Begins to count what a shut wall would refuse; drops nothing."""
    if carrier.count == NFT:
        return Shell(f"nft -f - <<'@rules'\n{nft.watch(wall)}@rules\n")
    texts = "".join(
        f"{tool}-restore -n <<'@rules'\n{iptables.watch(wall, family)}@rules\n{tool} -C INPUT -j GALVAN-WATCH 2>/dev/null || {tool} -I INPUT -j GALVAN-WATCH\n"
        for tool, family in (("iptables", "ip"), ("ip6tables", "ip6"))
    )
    return Shell(texts)


def count_no_more(carrier: Carrier) -> Shell:
    if carrier.count == NFT:
        return Shell("nft list table inet galvan_watch >/dev/null 2>&1 && nft delete table inet galvan_watch; true")
    return Shell(_NO_IPTABLES.replace("GALVAN", "GALVAN-WATCH").partition("; rm -f")[0])


# what survives a reboot ------------------------------------------------------------------------------------------
_SERVICE = """\
# Written by Galvan: brings its wall back after a reboot, and after the firewall of this host loaded its own rules anew.
[Unit]
Description=Galvan's wall around this host
DefaultDependencies=no
After=local-fs.target {after}
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
{parts}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={load}
ExecReload={load}

[Install]
WantedBy=sysinit.target {after}
"""


def keep(carrier: Carrier, wall: Wall, before: str, wave: str) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """What makes the wall survive a reboot, and its undo. `before`: the mark of the wall that would come back now."""
    if carrier.kind == FIREWALLD:
        return (_permanent(mark_of(carrier, wall)),), (_permanent(before),)
    files = {f"{RULES}/rules.{kind}": text for kind, text in _texts(carrier, wall).items()} | {_UNIT: service(carrier)}
    put = tuple(PutFile(path, text, 0o600 if path.startswith(RULES) else 0o644) for path, text in files.items())
    enable = Shell(f"systemctl daemon-reload; systemctl enable -q {UNIT}; systemctl start {UNIT}")
    off = () if before else (Shell(f"systemctl disable -q --now {UNIT} 2>/dev/null || true"),)
    back = tuple(RestoreFile(path, wave) for path in reversed(files))
    tidy = Shell(f"systemctl daemon-reload; rmdir {RULES} /etc/galvan 2>/dev/null || true")
    return (*put, enable), (*off, *back, tidy)


def service(carrier: Carrier) -> str:
    after = " ".join(carrier.after)
    parts = f"PartOf={after}\nReloadPropagatedFrom={after}\n" if after else ""
    loads = {
        NFT: f"/usr/sbin/nft -f {RULES}/rules.nft",
        IPTABLES: (
            f"/bin/sh -ec 'iptables-restore -n <{RULES}/rules.v4; ip6tables-restore -n <{RULES}/rules.v6; "
            "for t in iptables ip6tables; do $$t -C INPUT -j GALVAN 2>/dev/null || $$t -I INPUT -j GALVAN; done'"
        ),
    }
    return _SERVICE.format(after=after, parts=parts, load=loads[carrier.kind])


_PERMANENT = (
    _BY_LINE
    + r"""now= ; then=
for rule in $(firewall-cmd --permanent --policy galvan --list-rich-rules); do then="$then--remove-rich-rule=$rule
"; done
for rule in $(cat {{rules}}); do now="$now--add-rich-rule=$rule
"; done
[ -z "$then" ] || firewall-cmd -q --permanent --policy galvan $then
[ -z "$now" ] || firewall-cmd -q --permanent --policy galvan $now
"""
)


def _permanent(mark: str) -> Shell:
    """The permanent rules become those of a wall that was loaded here; of none: none."""
    return sh(_PERMANENT, rules=f"{KEEP}/{mark.replace(' ', '-')}.rich" if mark else "/dev/null")


def policy_object(wave: str) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """firewalld's policy object, still without a rule, and its undo. Only a reload makes a new object known."""
    gone = Shell(f"rm -f {firewalld.FILE}.old; firewall-cmd -q --reload")
    return (PutFile(firewalld.FILE, firewalld.BASE), Shell("firewall-cmd -q --reload")), (
        RestoreFile(firewalld.FILE, wave),
        gone,
    )
