"""Decisions about work: values in, decisions out."""
