"""Tip 6 of the seed: transfers log in with an account of their own, which can do nothing else."""

from galvan.cluster.facts import CONFIG, VARIABLES
from galvan.cluster.grants import GRANTS
from galvan.model import Tip
from galvan.tips.sst_account import checks, impact, proofs, steps
from galvan.tips.sst_account.facts import AUTH, NAMED, READER
from galvan.tips.sst_account.served import CHANGED, COUNTED, LOCKS, PROXIES, RIGHTS, RUNNING, SOCKET, WAYS

TIP = Tip(
    id="sst_account",
    title="An account of their own for transfers",
    facts=(
        VARIABLES,
        CONFIG,
        GRANTS,
        AUTH,
        NAMED,
        READER,
        RUNNING,
        SOCKET,
        CHANGED,
        RIGHTS,
        PROXIES,
        COUNTED,
        LOCKS,
        WAYS,
    ),
    checks=checks.CHECKS,
    mend=steps.mend,
    impact=impact.impact,
    proofs=proofs.proofs,
)
