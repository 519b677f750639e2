"""The store of client management."""
