"""Decisions about searches: what is asked, where it may be, and the way from the roots to it."""
