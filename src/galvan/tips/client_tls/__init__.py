"""Tip 2 of the seed: encrypt what clients and servers say to each other, then refuse what is not encrypted."""

from galvan.cluster.balancer import CHECK_USERS
from galvan.cluster.facts import ACCOUNTS, OWN_FILES, PLATFORM, REQUIREMENTS, VARIABLES
from galvan.model import Tip
from galvan.pki.steps import APP_MATERIAL, APP_SOUND, MATERIAL, SOUND
from galvan.tips.client_tls import checks, impact, proofs, steps
from galvan.tips.client_tls.doors import DOORS
from galvan.tips.client_tls.facts import CLIENTS, LOGINS

TIP = Tip(
    id="client_tls",
    title="Encrypt client traffic",
    facts=(
        VARIABLES, ACCOUNTS, REQUIREMENTS, PLATFORM, OWN_FILES, CHECK_USERS, DOORS, CLIENTS, LOGINS, MATERIAL, SOUND, APP_MATERIAL,
        APP_SOUND,
    ),
    checks=checks.CHECKS,
    mend=steps.mend,
    impact=impact.impact,
    proofs=proofs.proofs,
    moved=impact.moved,
)  # fmt: skip
