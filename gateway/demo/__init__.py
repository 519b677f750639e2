"""Everything on one machine: `tokenward demo`."""
