"""The demo, over real HTTP."""
