"""ProxySQL (2.5 and later): what it shows, what is to be said to it, and how it is judged. The tip's core calls it."""
