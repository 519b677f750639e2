"""Soak: a gateway at half of its capacity for as long as wanted, every verdict of which is compared with an oracle."""
