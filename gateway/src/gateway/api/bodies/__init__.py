"""Request bodies. Unknown keys are ignored; lists and optional texts may be missing, null or empty."""
