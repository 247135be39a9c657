"""No test times anything: Hypothesis gets no deadline, and no opinion on how fast a busy machine draws its examples."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
