"""The specification of Tokenward, as tests."""
