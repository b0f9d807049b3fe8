"""What a write checks and does, what a list finds, and who may see it."""
