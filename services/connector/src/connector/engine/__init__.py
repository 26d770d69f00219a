"""Engines write and check repositories; reading them for people is done by `repository`."""
