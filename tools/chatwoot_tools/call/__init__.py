"""One call: its context, and what calls of one credential share."""
