"""What may be missing from an answer."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from aiochatwoot import models
from aiochatwoot.models import Resource

SHAPES = [
    shape
    for _, shape in inspect.getmembers(models, inspect.isclass)
    if issubclass(shape, Resource) and shape is not Resource
]
REQUIRED: dict[str, Any] = {
    "id": 7,
    "name": "support",
    "title": "vip",
    "short_code": "hello",
    "attribute_key": "plan",
    "channel_type": "Channel::Api",
    "source_id": "jane",
    "inbox": {"id": 2},
    "message_type": 1,
    "account_id": 1,
    "inbox_id": 2,
    "status": "open",
}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_key_that_may_be_missing_may_be_null_too(shape: type[Resource]) -> None:
    least = {name: REQUIRED[name] for name, field in shape.model_fields.items() if field.is_required()}
    nulls = {name: None for name, field in shape.model_fields.items() if not field.is_required()}
    assert shape.model_validate({**least, **nulls}).model_dump() == shape.model_validate(least).model_dump()
