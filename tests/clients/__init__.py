"""Client management."""
