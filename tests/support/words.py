"""Names of the inside of Cairn, which users do not know: they read connector, source, store or destination."""

import re

INSIDE = re.compile(
    r"\b[Aa]pps?\b|\b[Ss]ervice at\b|\bKafka\b|\bMongo|\bFerretDB\b|\brestore[- ]index\b"
    r"|\b(catalog|assignment|scheduler) (service|does|has)\b"
)
