"""chatwoot-mcp: an MCP server for Chatwoot."""

__version__ = "0.1.0"
