"""What the policies that Tokenward ships do."""
