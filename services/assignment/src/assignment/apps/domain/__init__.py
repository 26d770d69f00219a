"""Decisions about apps: read `matching`, `choice`, `configuration`, `draft`, `apps`; `offers` is about integrations."""
