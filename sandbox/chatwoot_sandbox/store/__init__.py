"""The data: SQLite, its tables, and what a new sandbox holds."""
