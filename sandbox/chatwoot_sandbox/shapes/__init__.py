"""JSON as Chatwoot shows it, one module per record."""
