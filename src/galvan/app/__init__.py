"""The use cases: the only place where the edges meet the engine. Doors (the command line) call these and decide nothing."""
