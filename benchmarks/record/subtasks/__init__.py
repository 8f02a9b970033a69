"""Tasks that have many parts: how these went, and what they occupied."""
