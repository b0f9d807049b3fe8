"""JSON schemas that every host accepts, made from pydantic models.

Hosts and model providers choke on ``$ref``, unions, nullable types and ``const``; titles cost tokens for nothing.
So a schema is published flat and inlined, optional means "leave it out", and defaults stand in descriptions. Every
byte is paid for by every conversation of every host: what an error explains well enough is left out.
"""

from __future__ import annotations

from typing import Any, Final, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

_LEFT_OUT: Final = {"title", "minLength", "maxLength", "minItems", "maxItems", "minimum"}
"""Titles, and limits that no model comes near on purpose: whoever does is told by the error."""


class _Portable(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:  # noqa: ARG002 - pydantic's signature
        # Gemini refuses every format but enum and date-time.
        return {"type": "string"}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        shown = super().model_schema(schema)
        if self.mode == "serialization":
            # Results gain fields, and hosts keep schemas.
            shown.pop("additionalProperties", None)
        return shown

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """What a tool accepts: an object at the root, nothing referenced, no titles."""
    return _published(model, "validation")


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """What a tool returns, whole: hosts do not show it to the model, but programs are written by it."""
    return _published(model, "serialization")


def _published(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Portable, mode=mode)
    definitions = schema.pop("$defs", {})
    shown = cast("dict[str, Any]", _inline(schema, definitions))
    return {key: value for key, value in shown.items() if key != "description"}


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("dict[str, Any]", node)
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        referenced = dict(definitions[schema["$ref"].removeprefix("#/$defs/")])
        referenced.pop("description", None)
        return _inline({**referenced, **beside}, definitions)
    return {
        key: {name: _inline(inner, definitions) for name, inner in value.items()}
        if key == "properties"
        else _inline(value, definitions)
        for key, value in schema.items()
        if key not in _LEFT_OUT
    }
