"""Tip 4 of the seed: encrypt state transfers, whichever method the cluster uses, and shut the methods that it does not."""

from galvan.cluster.facts import BACKUP_CONFIG, CONFIG, OWN_FILES, PLATFORM, SST_CONFIG, VARIABLES
from galvan.model import Tip
from galvan.pki.steps import MATERIAL, SOUND
from galvan.tips.sst_tls import checks, impact, proofs, steps
from galvan.tips.sst_tls.facts import FIT, METHODS, SCRIPTS, TOOLS

FACTS = (
    VARIABLES, CONFIG, SST_CONFIG, BACKUP_CONFIG, PLATFORM, OWN_FILES, MATERIAL, SOUND, SCRIPTS, METHODS, TOOLS, FIT,
)  # fmt: skip
TIP = Tip(
    id="sst_tls",
    title="Encrypt state transfers",
    facts=FACTS,
    checks=checks.CHECKS,
    mend=steps.mend,
    impact=impact.impact,
    proofs=proofs.proofs,
)
