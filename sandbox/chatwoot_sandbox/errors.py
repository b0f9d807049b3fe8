"""Chatwoot's refusals. Raise one anywhere in an endpoint; the app turns it into the answer that Chatwoot gives."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer other than success: a status and a JSON body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class ResourceNotFound(Refusal):
    def __init__(self) -> None:
        super().__init__(404, {"error": "Resource could not be found"})


class NotAuthorized(Refusal):
    """Every permission problem is 401; the text tells which."""

    def __init__(self, text: str = "You are not authorized to do this action") -> None:
        super().__init__(401, {"error": text})


class Unprocessable(Refusal):
    def __init__(self, text: str) -> None:
        super().__init__(422, {"error": text})


class RecordInvalid(Refusal):
    """A model's validation failed."""

    def __init__(self, message: str, *attributes: str) -> None:
        super().__init__(422, {"message": message, "attributes": list(attributes)})
        self.message = message


class InternalError(Refusal):
    """What Chatwoot answers to anything that it did not expect."""

    def __init__(self) -> None:
        super().__init__(500, {"status": 500, "error": "Internal Server Error"})
