"""keepalived's part of a pair, and the script by which it asks for the door. Pure: the same wishes give the same text."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from galvan.cluster.balancer import SAY
from galvan.model import Pair
from galvan.tips.load_balancer.haproxy.render import WRITE
from galvan.tips.load_balancer.keepalived.conf import SCRIPT

ASK = f"""#!/bin/sh
# Galvan's, for keepalived. serves: does HAProxy's door lead to a member that serves? leave: end what came in by an address that
# has moved to the other balancer, so that no transaction waits for a client who is gone.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
case $1 in
serves)
{SAY}say 'show stat {WRITE} 3 -1' |
  awk -F , '$2 == "FRONTEND" && $18 == "OPEN" {{ open = 1 }} $2 == "BACKEND" && $18 == "UP" {{ up = 1 }} END {{ exit !(open && up) }}'
;;
leave) ss -K src "$2" >/dev/null ;;
*) exit 64 ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two. `own` and `other`: their addresses on the interface. `first`: it is preferred where neither carries the shared
    one yet."""

    pair: Pair
    own: str
    other: str
    first: bool

    @property
    def router(self) -> int:
        """One that clusters in the same network do not have in common by default: it comes from the address."""
        return self.pair.router or int(ipaddress.ip_address(self.pair.address)) % 255 + 1


def config(side: Side) -> str:
    """Without a password: VRRP sends it in the clear, and the wall lets nobody but the other balancer send VRRP.

    No weight for the script: with `nopreempt` a lowered priority moves nothing, only a fault gives the address away. Two misses, since
    one may fall into a reload of HAProxy's. A script of the owner's that others than root could change runs no more with
    `enable_script_security`; keepalived's own test then says so, and nothing is taken."""
    pair, leave = side.pair, f'"{SCRIPT} leave {side.pair.address}" root'
    return f"""\
# Galvan's: edit galvan.yaml instead, or take this out with galvan rollback
global_defs {{
    enable_script_security
}}
vrrp_script galvan_door {{
    script "{SCRIPT} serves"
    user root
    interval 1
    timeout 2
    fall 2
    rise 2
}}
vrrp_instance galvan {{
    state BACKUP
    nopreempt
    interface {pair.interface}
    virtual_router_id {side.router}
    priority {150 if side.first else 100}
    advert_int 1
    unicast_src_ip {side.own}
    unicast_peer {{
        {side.other}
    }}
    virtual_ipaddress {{
        {pair.address} dev {pair.interface}
    }}
    track_script {{
        galvan_door
    }}
    notify_backup {leave}
    notify_fault {leave}
    notify_stop {leave}
}}
"""
