"""The policies that Tokenward ships. Each imports the gateway's interface only."""
