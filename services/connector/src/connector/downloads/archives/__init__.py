"""Many files of a restore point in one archive, which is written while it is sent."""
