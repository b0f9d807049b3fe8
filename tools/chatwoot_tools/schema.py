"""JSON schemas that every host accepts, made from pydantic models.

Hosts and model providers choke on ``$ref``, unions, nullable types and ``const``; titles cost tokens for nothing.
So a schema is published flat and inlined, optional means "leave it out", and a null default is not shown.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema


class _Portable(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        shown = super().default_schema(schema)
        if shown.get("default", 0) is None:
            shown.pop("default")
        return shown


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """What a tool accepts: an object at the root, nothing referenced, no titles."""
    return _portable(model, "validation")


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """What a tool returns, one level deep: hosts do not show it to the model, and it costs space in every list."""
    schema = _portable(model, "serialization")
    properties = {name: _outline(inner) for name, inner in schema["properties"].items()}
    return {"type": "object", "properties": properties, "required": schema.get("required", [])}


def _portable(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Portable, mode=mode)
    definitions = schema.pop("$defs", {})
    schema.pop("description", None)
    return cast("dict[str, Any]", _inline(schema, definitions))


def _outline(schema: dict[str, Any]) -> dict[str, Any]:
    match schema:
        case {"type": "array", "items": {"type": str(kind)}}:
            return {"type": "array", "items": {"type": kind}}
        case {"type": "object"}:
            return {"type": "object"}
        case _:
            return schema


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
        if not (key == "title" and isinstance(value, str))
    }
