"""Decisions about apps: read `choice`, then `configuration`, then `apps`; `offers` is about integrations."""
