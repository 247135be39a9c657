"""Tip 8 of the seed: the door through which applications come in."""
