"""An async, typed client for Chatwoot's REST API. Behaviour as of Chatwoot v4.15.1."""

from aiochatwoot.budget import Budget
from aiochatwoot.client import Chatwoot
from aiochatwoot.transport import Transport

__all__ = ["Budget", "Chatwoot", "Transport"]
