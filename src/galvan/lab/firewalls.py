"""A firewall in charge on each database host, as a host has it that nobody ever walled in: at work, and letting everything in."""

from __future__ import annotations

from galvan.lab.podman import execute, together
from galvan.lab.topology import Lab

_RULES = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p icmp -m comment --comment site -j ACCEPT\nCOMMIT\n"
_IPTABLES = f"""
mkdir -p /etc/iptables
printf '{_RULES}' | tee /etc/iptables/rules.v4 | sed 's/-p icmp/-p ipv6-icmp/' >/etc/iptables/rules.v6
"""
START = {
    "nftables": "systemctl enable -q --now nftables",
    "iptables": f"{_IPTABLES}\nsystemctl enable -q --now netfilter-persistent",
    "legacy": f"""{_IPTABLES}
for t in iptables ip6tables; do update-alternatives --set $t /usr/sbin/$t-legacy >/dev/null; done
mv /usr/sbin/nft /usr/sbin/nft.away
systemctl enable -q --now netfilter-persistent""",
    "firewalld": """
systemctl enable -q --now firewalld
firewall-cmd -q --set-default-zone=trusted
firewall-cmd -q --reload  # or the chains of the zone before stay until somebody does""",
    "ufw": """
sed -i 's/^DEFAULT_INPUT_POLICY=.*/DEFAULT_INPUT_POLICY="ACCEPT"/' /etc/default/ufw
ufw --force enable >/dev/null""",
}


def start(lab: Lab) -> None:
    """Switches each host's on and waits for it."""
    walled = [host for host in lab.databases if host.firewall]
    together(lambda host: execute(host.name, START[host.firewall], limit=120), walled)
