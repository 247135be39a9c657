"""Tip 8 of the seed: one door, that queues, filters and lets members rest."""

from galvan.cluster.balancer import BALANCER
from galvan.cluster.facts import PLATFORM, SESSIONS, STATUS, VARIABLES
from galvan.cluster.walls import WALL
from galvan.model import Tip
from galvan.tips.load_balancer import checks, impact, kinds, proofs, speaking, steps
from galvan.tips.load_balancer.facts import ANSWER, ASKER, GUESTS, LAID, LIMITS
from galvan.tips.load_balancer.haproxy.conf import HAPROXY, WRITTEN
from galvan.tips.load_balancer.keepalived.conf import KEEPALIVED, STANDING

TIP = Tip(
    id="load_balancer",
    title="One door before the members",
    facts=(
        VARIABLES,
        STATUS,
        PLATFORM,
        SESSIONS,
        WALL,
        LIMITS,
        LAID,
        ANSWER,
        ASKER,
        BALANCER,
        HAPROXY,
        KEEPALIVED,
        STANDING,
        WRITTEN,
        GUESTS,
        *kinds.FACTS,
    ),
    checks=(*checks.CHECKS, *speaking.CHECKS),
    mend=steps.mend,
    impact=impact.impact,
    proofs=proofs.proofs,
    moved=impact.moved,
)
