"""HAProxy: its one file as sections, the lines that Galvan adds to it, and how they get there."""
