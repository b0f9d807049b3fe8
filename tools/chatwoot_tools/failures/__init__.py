"""The codes of failures, and what Chatwoot's errors become."""
