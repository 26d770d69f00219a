"""Handing out many files of a restore point in one archive, written while it is sent."""
