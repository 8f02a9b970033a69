"""JSON documents of a result set, held against the published schemas in ``schemas/``."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema
import numpy as np

from tasks.causes import cause

FORMAT_VERSION = 1
_SCHEMAS = Path(__file__).parent / "schemas"


class ResultSetError(Exception):
    """A result set that cannot be read or written as asked. The message names it and says what to do."""


class ResultsDiskError(ResultSetError):
    """The disk does not take what a result set is to hold. What it holds already is whole."""


def validate(document: Any, schema: Literal["manifest", "run", "stats", "analysis"], source: str) -> None:
    """Hold a document against a published schema. Raises ResultSetError naming ``source`` and the place that does not fit."""
    error = jsonschema.exceptions.best_match(_validator(schema).iter_errors(document))
    if error is not None:
        raise ResultSetError(f"{source} is not a {schema} of a result set: at {error.json_path}, {error.message[:300]}")


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((_SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8")))


def to_json(document: Any) -> str:
    """Plain data, dataclasses, mappings and paths as JSON text. Raises ResultSetError for what JSON cannot hold, as NaN."""
    try:
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"
    except (TypeError, ValueError) as error:
        raise ResultSetError(f"cannot be stored as JSON: {cause(error)}") from error


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} is not plain data")


def read_json(file: Path, schema: Literal["manifest", "run"]) -> dict[str, Any]:
    """A document of a result set. Raises ResultSetError, naming the file, where it is missing, damaged or not of that kind."""
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)
    except FileNotFoundError as error:
        raise ResultSetError(f"{file} is missing: the result set is not whole") from error
    except ValueError as error:
        raise ResultSetError(f"{file} is damaged: {cause(error)}") from error
    validate(document, schema, str(file))
    return document


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
