"""The error a model reads, with its code for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Code = Literal[
    "invalid_arguments",
    "account_required",
    "not_allowed",
    "read_only",
    "not_found",
    "source_id_required",
    "source_id_invalid",
    "source_id_taken",
    "contact_detail_missing",
    "assignee_not_assignable",
    "team_not_found",
    "template_invalid",
    "idempotency_conflict",
    "ambiguous_name",
    "token_missing",
    "token_invalid",
    "not_a_member",
    "forbidden",
    "account_suspended",
    "bot_not_allowed",
    "rejected",
    "plan_limit",
    "rate_limited",
    "redirected",
    "chatwoot_error",
    "unreachable",
    "cancelled",
    "outcome_unknown",
    "deadline_exceeded",
    "response_too_large",
    "unexpected_response",
    "internal_error",
]
"""The closed set of codes."""


@dataclass(eq=False)
class ToolFailure(Exception):
    """A call that did not do what was asked.

    ``text`` is one to three short sentences for the model: what failed, which field or id, what to do next; never
    a value that the caller sent. ``retryable`` is true only where the same call again cannot double anything.
    ``partial`` is true where the call had done a part before, as the text says.
    """

    code: Code
    text: str
    field: str | None = None
    retryable: bool = False
    retry_after_s: float | None = None
    http_status: int | None = None
    partial: bool = False

    def __str__(self) -> str:
        return self.text
