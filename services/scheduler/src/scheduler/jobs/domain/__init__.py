"""Decisions about jobs. Values in, values out: no clock, no database; `now` and ids are arguments."""
