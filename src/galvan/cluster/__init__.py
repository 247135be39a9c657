"""What Galera is: shared facts, the provider's options, option files, health, and the order of waves."""
