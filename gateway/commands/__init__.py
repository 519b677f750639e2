"""Groups of commands: applications, contracts, the store. Each command imports what it needs when it is run."""
