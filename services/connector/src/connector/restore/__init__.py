"""Writing what a restore point has to a destination, and comparing what was written."""
