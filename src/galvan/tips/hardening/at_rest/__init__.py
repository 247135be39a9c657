"""A room of the tip: what lies on the disk cannot be read without keys that lie elsewhere."""

from galvan.tips.hardening.at_rest.checks import CHECKS
from galvan.tips.hardening.at_rest.facts import FACTS
from galvan.tips.hardening.at_rest.impact import impact
from galvan.tips.hardening.at_rest.proofs import proofs
from galvan.tips.hardening.at_rest.steps import mend

__all__ = ["CHECKS", "FACTS", "impact", "mend", "proofs"]
