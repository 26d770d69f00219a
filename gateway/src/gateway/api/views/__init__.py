"""Answers: pure mappings from values to the JSON that clients read."""
