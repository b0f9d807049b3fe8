"""What Chatwoot's models do when they are written: checks, effects, and who may see them."""
