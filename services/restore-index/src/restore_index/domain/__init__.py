"""Decisions about restore points, directories and paths. Values in, values out."""
