"""What is known of Chatwoot: channels and limits."""
