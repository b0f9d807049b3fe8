"""What a write checks and does, and who may see what."""
