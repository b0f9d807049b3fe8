"""The endpoints, one module per family. Each exposes ``ROUTES``."""
