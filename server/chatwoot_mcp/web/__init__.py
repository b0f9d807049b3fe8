"""MCP over Streamable HTTP: for teams, many callers at a time, any number of replicas."""
