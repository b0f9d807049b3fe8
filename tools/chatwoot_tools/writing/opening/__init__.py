"""Opening a conversation: its target, what is checked before, what was made, and what Chatwoot did otherwise."""
