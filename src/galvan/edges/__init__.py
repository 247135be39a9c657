"""Where Galvan touches the world: ssh, the wire, durable runs, secrets, and a fake cluster in memory."""
