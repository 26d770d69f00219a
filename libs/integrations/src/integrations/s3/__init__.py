"""Buckets of S3 and of what speaks its protocol."""
