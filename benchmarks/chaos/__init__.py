"""Chaos: one fault after the other beside a steady load, every verdict of which is compared with an oracle."""
