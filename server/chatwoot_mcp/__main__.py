"""``python -m chatwoot_mcp``."""

from chatwoot_mcp.cli import main

if __name__ == "__main__":
    main()
