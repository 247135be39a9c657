"""What can go wrong in the lab, as one named error."""

from __future__ import annotations

from galvan.model import GalvanError


class LabError(GalvanError):
    """The practice cluster could not do what was asked: says what, on which host, and what to do next."""
