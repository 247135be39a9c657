"""Tip 1 of the seed: only the right neighbours reach each port, and everything else is dropped."""

from galvan.cluster.arbitrator import RUNNING
from galvan.cluster.facts import LINKS, PLATFORM, STATUS, VARIABLES
from galvan.cluster.walls import WALL
from galvan.model import Tip
from galvan.tips.firewall import checks, impact, proofs, steps
from galvan.tips.firewall.facts import BYPASS, CALLER, CONTROL, COUNTED, GUESTS, LISTENERS, OBJECT, RULESET, SAVED
from galvan.tips.firewall.joining import ALLOWLIST, LISTED

TIP = Tip(
    id="firewall",
    title="Walls around every host",
    facts=(
        VARIABLES, RUNNING, STATUS, PLATFORM, LINKS, WALL, CONTROL, RULESET, SAVED, LISTENERS, GUESTS, COUNTED, CALLER, BYPASS, OBJECT,
        ALLOWLIST, LISTED,
    ),
    checks=checks.CHECKS,
    mend=steps.mend,
    impact=impact.impact,
    proofs=proofs.proofs,
    moved=impact.moved,
    settled=impact.settled,
)  # fmt: skip
