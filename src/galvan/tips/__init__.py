"""The tips, in the seed's order. This list is the only one: what is not in it does not exist for the engine."""

from galvan.model import Tip
from galvan.tips import client_tls, firewall, hardening, load_balancer, replication_tls, selinux, sst_account, sst_tls

TIPS: tuple[Tip, ...] = (
    firewall.TIP, client_tls.TIP, replication_tls.TIP, sst_tls.TIP, selinux.TIP, sst_account.TIP, hardening.TIP, load_balancer.TIP,
)  # fmt: skip
