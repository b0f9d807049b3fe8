"""Chatwoot's endpoints, one module per family."""
