"""Tip 5 of the seed: instead of switching SELinux off, learn what the cluster does, and hold it to that."""

from galvan.cluster.facts import VARIABLES
from galvan.model import Tip
from galvan.tips.selinux import checks, impact, proofs, steps
from galvan.tips.selinux.apparmor import LOADED
from galvan.tips.selinux.audit import DENIALS
from galvan.tips.selinux.facts import CONFIG_FILE, LABELS, PATHS, PORTS, STATE

TIP = Tip(
    id="selinux",
    title="Confine the server by SELinux or AppArmor",
    facts=(VARIABLES, STATE, PORTS, LABELS, PATHS, CONFIG_FILE, LOADED, DENIALS),
    checks=checks.CHECKS,
    mend=steps.mend,
    impact=impact.impact,
    proofs=proofs.proofs,
    moved=impact.moved,
    settled=impact.settled,
)
