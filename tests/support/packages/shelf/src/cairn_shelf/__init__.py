"""Directories by two protocols, for tests."""
