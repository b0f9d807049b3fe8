"""What is sent once, and found again when its answer was lost."""
