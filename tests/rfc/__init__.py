"""Examples and attacks that others published, run against us."""
