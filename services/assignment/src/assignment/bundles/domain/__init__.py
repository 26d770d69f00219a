"""Decisions about bundles: read `scope`, then `filling`, then `bundles`."""
