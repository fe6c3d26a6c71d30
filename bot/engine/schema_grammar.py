"""A JSON schema as a grammar, so that what a model writes always parses.

Everything is bounded, also where a schema is not: a model that is made to write a string may otherwise never close it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from pydantic import JsonValue

from bot.engine.json_schema import Schema, alternative, bounds, endless, merged, properties_of, resolve
from bot.errors import InvalidRequestError

MAX_STRING_CHARS = 200  # of a string whose schema names no maxLength
MAX_ITEMS = 16  # of an array without maxItems, and of an object with free keys
MAX_KEY_CHARS = 40
MAX_DEPTH = 3  # of a value whose schema allows anything
MAX_ENUMERATED = 256  # integers of a closed range that are listed one by one

# A space, or a line break and an indentation; `SPACE_PATTERN` is the same as a regular expression.
SPACE = '(" " | "\\n" " "{0,8})?'
SPACE_PATTERN = "(?: |\\n {0,8})?"
# Escapes of lone surrogates are left out: they are no characters.
_CHAR = r'[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-cA-CefEF] [0-9a-fA-F]{3} | "u" [dD] [0-7] [0-9a-fA-F]{2})'
_INTEGER = '("0" | [1-9] [0-9]{0,14})'
_FRACTION = '("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?'
_SCALARS = ("string", "number", "boolean", "null")
_UNION = re.compile(r"\w+(?: \| \w+)*")  # names of rules, with no sign of JSON before them
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")


def schema_grammar(schema: Schema) -> str:
    """Return a GBNF grammar whose rule `root` is a JSON text of the schema.

    Raises:
        InvalidRequestError: If the schema has a type or a reference that is not known, or refers to itself without end.
    """
    rules = GrammarRules()
    value = rules.value(schema)
    return rules.text(value)


def literal(text: str) -> str:
    """Return a text as a GBNF literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


class GrammarRules:
    """Rules of a GBNF grammar, collected under names that never collide."""

    def __init__(self) -> None:
        self._rules: dict[str, str] = {"ws": SPACE, "char": _CHAR}
        self._names: dict[str, str] = {}
        self._references: dict[tuple[int, str], str] = {}

    def add(self, body: str) -> str:
        """Return the name of a rule with this body."""
        if body not in self._names:
            self._names[body] = f"r{len(self._rules)}"
            self._rules[self._names[body]] = body
        return self._names[body]

    def text(self, root: str) -> str:
        """Return the grammar with this body of `root`.

        Raises:
            InvalidRequestError: If a rule begins with itself, which llama.cpp would follow without end.
        """
        left = {name: set(body.split(" | ")) for name, body in self._rules.items() if _UNION.fullmatch(body)}
        while left:
            ends = [name for name, others in left.items() if not others & left.keys()]
            if not ends:
                raise endless()
            for name in ends:
                del left[name]
        return "\n".join(f"{name} ::= {body}" for name, body in {"root": root, **self._rules}.items()) + "\n"

    def value(self, schema: JsonValue | Schema, whole: Schema | None = None, depth: int = MAX_DEPTH) -> str:
        """Return the name of the rule for a value of `schema`; references are looked up in `whole`.

        Raises:
            InvalidRequestError: If the schema has a type or a reference that is not known, or refers to itself without
                end.
        """
        try:
            return self._value(schema, whole, depth)
        except RecursionError as error:
            raise endless() from error

    def _value(self, schema: JsonValue | Schema, whole: Schema | None, depth: int) -> str:
        if not isinstance(schema, Mapping):
            return self._anything(depth)
        whole = schema if whole is None else whole
        if (reference := schema.get("$ref")) is not None:
            return self._reference(str(reference), whole)
        if "const" in schema:
            return self.add(literal(json.dumps(schema["const"], ensure_ascii=False)))
        if isinstance(listed := schema.get("enum"), list) and listed:
            return self.add(" | ".join(literal(json.dumps(one, ensure_ascii=False)) for one in listed))
        for key in ("anyOf", "oneOf"):
            if isinstance(choices := schema.get(key), list) and choices:
                return self.add(" | ".join(self.value(alternative(schema, key, one), whole, depth) for one in choices))
        if isinstance(schema.get("allOf"), list):
            return self.value(merged(schema, whole), whole, depth)
        kind = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else None)
        if isinstance(kind, list):
            return self.add(" | ".join(self.value({**schema, "type": one}, whole, depth) for one in kind))
        match kind:
            case None:
                return self._anything(depth)
            case "object":
                return self._object(schema, whole, depth)
            case "array":
                return self._array(schema, whole, depth)
            case "string":
                low, high = bounds(schema, "minLength", "maxLength", MAX_STRING_CHARS)
                return self.add(f'"\\"" char{{{low},{high}}} "\\""')
            case "integer":
                return self._integer(schema)
            case "number":
                return self.add(f"{self._sign(schema)}{_INTEGER} {_FRACTION}")
            case "boolean":
                return self.add('"true" | "false"')
            case "null":
                return self.add('"null"')
            case _:
                raise InvalidRequestError(f"The JSON schema has the type {kind!r}: use one of {', '.join(_TYPES)}.")

    def _reference(self, reference: str, whole: Schema) -> str:
        key = (id(whole), reference)
        if key not in self._references:
            target = resolve(reference, whole)
            # The name comes first, so that a schema may contain itself.
            name = self._references[key] = f"ref{len(self._references)}"
            self._rules[name] = self.value(target, whole)
        return self._references[key]

    def _anything(self, depth: int) -> str:
        kinds = ("object", "array", *_SCALARS) if depth > 0 else _SCALARS
        return self.add(" | ".join(self.value({"type": kind}, None, depth - 1) for kind in kinds))

    @staticmethod
    def _sign(schema: Schema) -> str:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        return "" if isinstance(low, int | float) and low >= 0 else '"-"? '

    def _integer(self, schema: Schema) -> str:
        low, high = schema.get("minimum"), schema.get("maximum")
        if isinstance(low, int | float) and isinstance(high, int | float):
            first, last = math.ceil(low), math.floor(high)
            if 0 <= last - first < MAX_ENUMERATED:
                return self.add(" | ".join(f'"{number}"' for number in range(first, last + 1)))
        return self.add(f"{self._sign(schema)}{_INTEGER}")

    def _array(self, schema: Schema, whole: Schema, depth: int) -> str:
        if isinstance(tuples := schema.get("prefixItems"), list) and tuples:
            items = ' ws "," ws '.join(self.value(one, whole, depth) for one in tuples)
            return self.add(f'"[" ws {items} ws "]"')
        low, high = bounds(schema, "minItems", "maxItems", MAX_ITEMS)
        item = self.value(schema.get("items", True), whole, depth)
        if high == 0:
            return self.add('"[" ws "]"')
        more = f'{item} (ws "," ws {item}){{{max(low - 1, 0)},{high - 1}}}'
        return self.add(f'"[" ws {more} ws "]"' if low else f'"[" ws ({more} ws)? "]"')

    def _object(self, schema: Schema, whole: Schema, depth: int) -> str:
        properties, required = properties_of(schema)
        if not properties:
            extra = schema.get("additionalProperties", True)
            if extra is False:
                return self.add('"{" ws "}"')
            pair = self.add(f'"\\"" char{{1,{MAX_KEY_CHARS}}} "\\"" ws ":" ws {self.value(extra, whole, depth)}')
            return self.add(f'"{{" ws ({pair} (ws "," ws {pair}){{0,{MAX_ITEMS - 1}}} ws)? "}}"')
        # Two chains of rules over the properties in order: `first` while none is written, `later` after one is.
        first, later = "", ""
        for name, inner in reversed(list(properties.items())):
            key = literal(json.dumps(name, ensure_ascii=False))
            pair = self.add(f'{key} ws ":" ws {self.value(inner, whole, depth)}')
            if name in required:
                first = self.add(f"{pair} {later}")
                later = self.add(f'ws "," ws {pair} {later}')
            else:
                first = self.add(f"{pair} {later} | {first}" if first else f"({pair} {later})?")
                later = self.add(f'(ws "," ws {pair})? {later}')
        return self.add(f'"{{" ws {first} ws "}}"')
