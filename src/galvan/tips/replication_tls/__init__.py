"""Tip 3 of the seed: encrypt what the members say to each other, IST included, without the outage that the seed expects."""

from galvan.cluster import arbitrator
from galvan.cluster.facts import BOOTSTRAP, CONFIG, OWN_FILES, PLATFORM, STATUS, VARIABLES
from galvan.model import Tip
from galvan.pki.steps import ARB_MATERIAL, ARB_SOUND, MATERIAL, SOUND
from galvan.tips.replication_tls import checks, impact, proofs, steps

TIP = Tip(
    id="replication_tls",
    title="Encrypt replication",
    facts=(
        VARIABLES,
        STATUS,
        CONFIG,
        BOOTSTRAP,
        PLATFORM,
        OWN_FILES,
        MATERIAL,
        SOUND,
        ARB_MATERIAL,
        ARB_SOUND,
        *arbitrator.FACTS,
    ),
    checks=checks.CHECKS,
    mend=steps.mend,
    impact=impact.impact,
    proofs=proofs.proofs,
)
