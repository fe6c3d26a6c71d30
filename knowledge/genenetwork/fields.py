"""Types of fields that take what GeneNetwork sends: numbers as text, text as numbers, null, "None", NaN, objects."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue, ValidationError

from bot.plain_text import one_line
from knowledge.genenetwork.errors import ServiceFailedError

_PLAIN = re.compile(r"[\w.:/()+-]{0,60}", re.ASCII)
MOST_TEXT = 20_000  # characters of one field; longer ones are cut
_MANY = 200  # records that take more than some milliseconds
MOST_DEPTH = 4  # of objects and lists within a field

Model = TypeVar("Model", bound="Row")


def as_text(value: object, *, depth: int = MOST_DEPTH) -> str:
    """Return one line of text; "" for null, "None" and what is no plain value or nested too deep."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, dict):
        # JSON-LD: one thing is its label, and a value may be an object that holds it.
        value = next((value[name] for name in ("label", "prefLabel", "@value", "value") if name in value), "")
        return as_text(value, depth=depth - 1) if depth else ""
    if isinstance(value, list):
        texts = (as_text(one, depth=depth - 1) for one in value) if depth else ()
        return "; ".join(text for text in texts if text)[:MOST_TEXT]
    if not isinstance(value, str | int | float):
        return ""
    text = str(value)[:MOST_TEXT]
    # Most values are plain words; cleaning them costs more than all the rest.
    text = text if _PLAIN.fullmatch(text) else one_line(text)
    return "" if text in {"None", "null", "NaN"} else text


def as_number(value: object) -> float | None:
    """Return a finite number, also from text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_whole(value: object) -> int | None:
    """Return a whole number, also from text; None for anything else."""
    number = as_number(value)
    return int(number) if number is not None and number.is_integer() else None


def as_raw_text(value: object) -> str:
    """Return text with its line ends and markup, for sections of HTML; "" for anything else."""
    return value[: 10 * MOST_TEXT] if isinstance(value, str) else as_text(value)


def as_texts(value: object) -> tuple[str, ...]:
    """Return texts; one text is a list of one."""
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in map(as_text, values) if text)


def as_iso_date(value: object) -> str:
    """Return an ISO date from an ISO or RFC 1123 date or time; "" for anything else."""
    text = as_text(value)
    if not text:
        return ""
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text).date().isoformat()
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return parsedate_to_datetime(text).date().isoformat()
    return ""


Text = Annotated[str, BeforeValidator(as_text)]
RawText = Annotated[str, BeforeValidator(as_raw_text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(as_texts)]
Number = Annotated[float | None, BeforeValidator(as_number)]
Whole = Annotated[int | None, BeforeValidator(as_whole)]
IsoDate = Annotated[str, BeforeValidator(as_iso_date)]


class Row(BaseModel):
    """A record of GeneNetwork: further fields are left out, missing ones have their defaults."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


def read(kind: type[Model], value: JsonValue, name: str) -> Model:
    """Return one record.

    Raises:
        ServiceFailedError: If it is none.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise ServiceFailedError(f"{name} sent data of an unknown form: try again later.") from error


def read_all(kind: type[Model], value: JsonValue, name: str) -> tuple[Model, ...]:
    """Return the records of a list; those that are none are left out.

    Raises:
        ServiceFailedError: If it is no list, or none of several is a record.
    """
    if not isinstance(value, list):
        raise ServiceFailedError(f"{name} sent data of an unknown form: try again later.")
    rows = tuple(_readable(kind, value))
    if value and not rows:
        raise ServiceFailedError(f"{name} sent data of an unknown form: try again later.")
    return rows


async def read_many(kind: type[Model], value: JsonValue, name: str) -> tuple[Model, ...]:
    """Do as `read_all`, beside the event loop where there are many: a genome scan has 20,000."""
    if isinstance(value, list) and len(value) > _MANY:
        return await asyncio.to_thread(read_all, kind, value, name)
    return read_all(kind, value, name)


def _readable(kind: type[Model], values: list[JsonValue]) -> Iterator[Model]:
    for value in values:
        with contextlib.suppress(ValidationError):
            yield kind.model_validate(value)
