"""Directories of the worker's machine."""
