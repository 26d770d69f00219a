"""Plug-ins for kinds of systems: one folder each, found through `registry`."""
