"""Galvan secures Galera clusters: audit, plan, apply while the applications keep writing, and prove from outside."""

__version__ = "0.1.0"
