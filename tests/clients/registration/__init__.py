"""Registration of clients at their provider."""
