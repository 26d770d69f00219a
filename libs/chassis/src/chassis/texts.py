"""Which texts can be kept and shown: the rules of `contracts.texts`, where services look for them."""

from contracts.texts import NOT_BLANK, PRINTABLE, STORABLE, fault_of, is_storable

__all__ = ["NOT_BLANK", "PRINTABLE", "STORABLE", "fault_of", "is_storable"]
