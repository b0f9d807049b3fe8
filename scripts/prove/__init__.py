"""Does every tool tell the truth about a Chatwoot that is really there, also when its answers are lost?

Run it against an instance that is there to be tried on: ``uv run python -m scripts.prove --help``; see docs/prove.md.
"""
