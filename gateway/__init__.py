"""The gateway: everything that is not a policy."""
