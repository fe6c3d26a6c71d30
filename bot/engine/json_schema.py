"""JSON schemas: what they say, and whether a value keeps to one.

Known keywords: type, properties, required, additionalProperties, items, prefixItems, minItems, maxItems, enum, const,
anyOf, oneOf, allOf, $ref within the schema, minLength, maxLength, minimum, maximum; others are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from bot.errors import InvalidRequestError

MAX_REPETITIONS = 1000  # llama.cpp refuses a grammar with more than 2000 repetitions of one element

Schema = Mapping[str, JsonValue]


def resolve(reference: str, whole: Schema) -> JsonValue | Schema:
    """Return what "#/$defs/name" names in a schema.

    Raises:
        InvalidRequestError: If it names nothing.
    """
    found: JsonValue | Schema = whole
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or key not in found:
            raise InvalidRequestError(f"The JSON schema refers to {reference}, which is not there: add it.")
        found = found[key]
    return found


def problem(value: JsonValue, schema: JsonValue | Schema) -> str | None:
    """Return what is wrong with a value or None: 'the argument "x" is missing'.

    Raises:
        InvalidRequestError: If the schema refers to what is not there, or to itself without end.
    """
    try:
        return _problem(value, schema, schema if isinstance(schema, Mapping) else {}, "")
    except RecursionError as error:
        raise endless() from error


def endless() -> InvalidRequestError:
    """Return the error of a schema that nobody can follow to its end."""
    return InvalidRequestError("The JSON schema refers to itself without end: let it name an object or a list between.")


def _problem(value: JsonValue, schema: JsonValue | Schema, whole: Schema, path: str) -> str | None:
    if not isinstance(schema, Mapping):
        return None if schema is not False else f"{_called(path)} must not be there"
    if (reference := schema.get("$ref")) is not None:
        return _problem(value, resolve(str(reference), whole), whole, path)
    for key in ("anyOf", "oneOf"):
        if isinstance(choices := schema.get(key), list) and choices:
            found = [_problem(value, alternative(schema, key, one), whole, path) for one in choices]
            return None if None in found else found[0]
    if isinstance(schema.get("allOf"), list):
        return _problem(value, merged(schema, whole), whole, path)
    if "const" in schema and value != schema["const"]:
        return f"{_called(path)} must be {json.dumps(schema['const'], ensure_ascii=False)}"
    if isinstance(listed := schema.get("enum"), list) and value not in listed:
        return f"{_called(path)} must be one of {', '.join(json.dumps(one, ensure_ascii=False) for one in listed)}"
    kinds = schema.get("type")
    allowed = [str(one) for one in (kinds if isinstance(kinds, list) else [kinds] if kinds else [])]
    if allowed and not any(_is(value, kind) for kind in allowed):
        return f"{_called(path)} must be of type {' or '.join(allowed)}"
    return _inner_problem(value, schema, whole, path)


def _inner_problem(value: JsonValue, schema: Schema, whole: Schema, path: str) -> str | None:
    if isinstance(value, dict):
        properties, required = properties_of(schema)
        missing = [name for name in required if name not in value]
        if missing:
            return f"{_called(_joined(path, missing[0]))} is missing"
        for name, inner in value.items():
            wanted = properties.get(name, schema.get("additionalProperties", True))
            if found := _problem(inner, wanted, whole, _joined(path, name)):
                return found
    if isinstance(value, list):
        if found := _length_problem(len(value), schema, "minItems", "maxItems", "items"):
            return f"{_called(path)} {found}"
        tuples = schema.get("prefixItems")
        wanted_items = tuples if isinstance(tuples, list) else [schema.get("items", True)] * len(value)
        for index, (inner, wanted) in enumerate(zip(value, wanted_items, strict=False)):
            if found := _problem(inner, wanted, whole, f"{path}[{index}]"):
                return found
    if isinstance(value, str) and (
        found := _length_problem(len(value), schema, "minLength", "maxLength", "characters")
    ):
        return f"{_called(path)} {found}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        lowest, highest = schema.get("minimum"), schema.get("maximum")
        if isinstance(lowest, int | float) and value < lowest:
            return f"{_called(path)} must be at least {lowest}"
        if isinstance(highest, int | float) and value > highest:
            return f"{_called(path)} must be at most {highest}"
    return None


def _length_problem(length: int, schema: Schema, low_key: str, high_key: str, what: str) -> str | None:
    low, high = schema.get(low_key), schema.get(high_key)
    if isinstance(low, int) and length < low:
        return f"must have {low} {what} or more"
    if isinstance(high, int) and length > high:
        return f"must have {high} {what} or fewer"
    return None


def _is(value: JsonValue, kind: str) -> bool:
    match kind:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "integer":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
    return True


def _called(path: str) -> str:
    return f'the argument "{path}"' if path else "the value"


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def bounds(schema: Schema, low_key: str, high_key: str, default: int) -> tuple[int, int]:
    """Return the least and greatest length to be written: `default` if a schema names no greatest, 1000 at most."""
    low, high = schema.get(low_key), schema.get(high_key)
    lowest = min(low, MAX_REPETITIONS) if isinstance(low, int) else 0
    highest = min(high, MAX_REPETITIONS) if isinstance(high, int) else max(default, lowest)
    return lowest, max(highest, lowest)


def properties_of(schema: Schema) -> tuple[Mapping[str, JsonValue], Sequence[str]]:
    """Return the properties of an object and the names of those it must have."""
    properties, required = schema.get("properties"), schema.get("required")
    names = [str(one) for one in required] if isinstance(required, list) else []
    return (properties if isinstance(properties, dict) else {}), names


def alternative(schema: Schema, key: str, one: JsonValue) -> JsonValue | Schema:
    """Return one of the schemas under "anyOf" or "oneOf", with what stands beside them."""
    if not isinstance(one, dict):
        return one
    return {name: inner for name, inner in schema.items() if name != key} | one


def merged(schema: Schema, whole: Schema) -> Schema:
    """Return a schema with the parts under "allOf" put together."""
    whole_schema: dict[str, JsonValue] = {key: inner for key, inner in schema.items() if key != "allOf"}
    parts = schema["allOf"]
    properties, required = properties_of(schema)
    every, names = dict(properties), list(required)
    for part in parts if isinstance(parts, list) else []:
        found = resolve(str(part["$ref"]), whole) if isinstance(part, dict) and "$ref" in part else part
        if isinstance(found, Mapping):
            properties, required = properties_of(found)
            every.update(properties)
            names.extend(required)
            whole_schema.update({key: inner for key, inner in found.items() if key not in ("properties", "required")})
    if every:
        whole_schema.update({"properties": every, "required": [*names]})
    return whole_schema
