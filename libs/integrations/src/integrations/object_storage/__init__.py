"""Object stores as sources: what they list is compared with what arrives."""
