"""The documentation, held against the source that it speaks of."""
