"""What a host shows of the wall that Galvan put around it, whatever firewall carries it. The tip `firewall` builds it; that it is
there also decides from where other trials can be made."""

from __future__ import annotations

from galvan.cluster.facts import lines
from galvan.model import Fact, HostFacts, Role, Shell, State, Unreadable

WALLED = (Role.DATABASE, Role.ARBITRATOR, Role.LOAD_BALANCER)
RULES = "/etc/galvan/firewall"
UNIT = "galvan-firewall.service"
LIVE = "/run/galvan/firewall.live"
"""The digest of what the kernel listed right after Galvan had loaded a wall; gone after a reboot."""
LISTED = {
    "nft": "nft -st list table inet galvan",
    "iptables": "for t in iptables ip6tables; do $t -S INPUT | sed -n 2p; $t -S GALVAN; done",
}
"""How a host lists the wall, by what carries it; the kernel's own words, without counters."""
_FRESH = {
    "nft": f"nft -f {RULES}/rules.nft && {LISTED['nft']}",
    "iptables": f"iptables-restore -n <{RULES}/rules.v4; ip6tables-restore -n <{RULES}/rules.v6; for t in iptables ip6tables; do $t -I INPUT -j GALVAN; done; {LISTED['iptables']}",
}
_MARK = "sed -n 's/.*\"galvan \\([a-z]* [0-9a-f]*\\)\".*/\\1/p' | head -n 1"
_BUS = "org.fedoraproject.FirewallD1"
FIREWALLD = rf"""
bus() {{ busctl --json=short call {_BUS} "$@" 2>/dev/null; }}
rich() {{ sed -n '/"rich_rules"/{{s/.*"rich_rules":{{"type":"as","data":\[//; s/\]}}.*//; s/","/\n/g; s/\\"/"/g; s/^"//; s/"$//; p}}' | sort; }}
running() {{ bus /org/fedoraproject/FirewallD1 {_BUS}.policy getPolicySettings s galvan | rich; }}
kept() {{ p=$(bus /org/fedoraproject/FirewallD1/config {_BUS}.config getPolicyByName s galvan | sed 's/.*\["\(.*\)"\].*/\1/'); bus "$p" {_BUS}.config.policy getSettings | rich; }}
"""
"""firewalld's rich rules over its bus: `firewall-cmd` takes ten times as long to say the same."""
_SCRIPT = f"""{FIREWALLD}
live() {{ case $by in nft) {LISTED["nft"]} ;; iptables) {LISTED["iptables"]} ;; esac 2>/dev/null; }}
fresh() {{ case $by in nft) unshare -n sh -c '{_FRESH["nft"]}' ;; iptables) unshare -n sh -c '{_FRESH["iptables"]}' ;; esac 2>/dev/null; }}
said() {{ h=$(cat); case $h in '') ;; *'address="0.0.0.0/0"'*) echo "shut $(echo "$h" | sha256sum | cut -c1-16)" ;; *) echo "members $(echo "$h" | sha256sum | cut -c1-16)" ;; esac; }}
by=
if systemctl is-active -q firewalld 2>/dev/null && [ -e /etc/firewalld/policies/galvan.xml ]; then by=firewalld
elif command -v nft >/dev/null && nft list table inet galvan >/dev/null 2>&1; then by=nft
elif command -v iptables >/dev/null && iptables -nL GALVAN >/dev/null 2>&1; then by=iptables
elif [ -e {RULES}/rules.nft ]; then by=nft; elif [ -e {RULES}/rules.v4 ]; then by=iptables; fi
echo by=$by
systemctl is-enabled -q {UNIT} 2>/dev/null && echo enabled=yes || echo enabled=no
echo watch=$({{ nft -t list table inet galvan_watch || iptables -S GALVAN-WATCH; }} 2>/dev/null | {_MARK})
if [ "$by" = firewalld ]; then
  wall=$(running | said); saved=$(kept | said)
  echo "wall=$wall"; echo "saved=$saved"; echo intact=yes
  [ "$wall" = "$saved" ] && echo lasting=yes || echo lasting=no
else
  wall=$(live | {_MARK}); echo "wall=$wall"
  echo "saved=$(cat {RULES}/rules.nft {RULES}/rules.v4 2>/dev/null | {_MARK})"
  now=$(live | sha256sum); then=$(fresh | sha256sum)
  [ -z "$wall" ] || [ "$now" = "$then" ] || [ "$now" = "$(cat {LIVE} 2>/dev/null)" ] && echo intact=yes || echo intact=no
  [ "$now" = "$then" ] && {{ [ -z "$wall" ] || systemctl is-enabled -q {UNIT} 2>/dev/null; }} && echo lasting=yes || echo lasting=no
fi
[ -z "$(systemctl list-units --no-legend --state=active 'galvan-deadman-*.timer' 2>/dev/null)" ] || echo intact=no
"""
WALL: Fact[State] = Fact("host.wall", Shell(_SCRIPT.strip()), lines, roles=frozenset(WALLED))
"""`wall`, `watch`, `saved`: the height and digest of what runs, of what counts and of what a reboot would bring; empty where there is
none. `enabled`: is the unit that would bring it? `intact`: nobody changed the running rules since they
were loaded, and no dead-man is about to. `lasting`: a reboot brings the same."""


def height(facts: HostFacts) -> str:
    """`members`, `shut`, or nothing; of a host that has no such fact: nothing."""
    try:
        return str(facts[WALL].get("wall") or "").partition(" ")[0]
    except Unreadable:
        return ""
