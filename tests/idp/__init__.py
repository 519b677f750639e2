"""Real identity providers, and what they really answer."""
