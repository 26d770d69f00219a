"""Measurements, each beside its peer in the same run. `make bench` runs them; no test asserts what they find."""
