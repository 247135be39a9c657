"""Tip 8 of the seed: the balancers before the cluster."""
