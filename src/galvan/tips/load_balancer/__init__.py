"""The tip for the door: a balancer before the members."""
