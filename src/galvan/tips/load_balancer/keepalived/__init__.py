"""Two balancers that share one address by VRRP: whichever of them serves carries it."""
