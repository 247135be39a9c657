"""Certificates as values: authorities, leaves, lifetimes, and the scripts that keep them on hosts. No IO.

`cryptography` is imported inside the functions that need it: an audit that only parses `material` never pays for it.
"""
