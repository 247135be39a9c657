"""How a member is taken out of MaxScale and back. What engine/ needs of it lives in cluster/, which both may know."""

from galvan.cluster.maxscale import MAXSCALE, drain, servers, set_state, status_of, undrain

__all__ = ["MAXSCALE", "drain", "servers", "set_state", "status_of", "undrain"]
