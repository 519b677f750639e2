"""Client management from end to end: `tokenward run` as a process, with a portal, a store and an identity provider."""
