"""Tests of `tokenward doctor`, by subject."""
