"""`Correlation`: named arguments of a job as attributes of its spans, never without being asked.

    [rrq.plugins.otel]
    attributes = { tenant = "kwargs.tenant_id", order = "args.0.id" }

A backend takes `CorrelatedConfig` as the base of its `config_model` and sets its `correlation`;
the kernel then fills `attributes` wherever it tells the backend of a job.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Raw
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rrq.telemetry.contract import Scalar

MOST_ATTRIBUTES = 16
MOST_CHARACTERS = 256
LONGEST_NAME = 64


def _checked(paths: dict[str, str]) -> dict[str, str]:
    if len(paths) > MOST_ATTRIBUTES:
        raise ValueError(f"{len(paths)} attributes; the most are {MOST_ATTRIBUTES}")
    for name, path in paths.items():
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot be the name of an attribute: letters, digits and . _ - / only, "
                f"{LONGEST_NAME} at most"
            )
        if not _PATH.fullmatch(path):
            raise ValueError(
                f'{name} = "{path}" names no argument: write "kwargs.NAME" or "args.0", and a dot '
                "before each step deeper"
            )
    return paths


Attributes = Annotated[dict[str, str], AfterValidator(_checked)]
"""The setting: by the attribute's name, where its value stands, `kwargs.NAME` or `args.N`, and
deeper with further dots: `kwargs.order.customer_id`, `args.0.lines.2`."""


class CorrelatedConfig(BaseModel):
    """What the table of a backend has that can copy arguments onto spans."""

    model_config = ConfigDict(extra="forbid")

    attributes: Attributes = Field(
        default_factory=dict,
        description='Arguments to copy onto spans, as in { tenant = "kwargs.tenant_id" }.',
    )

    def correlation(self) -> Correlation | None:
        """For the backend's `correlation`."""
        return Correlation(self.attributes) if self.attributes else None


class Correlation:
    """Finds the named values in a job's arguments.

    What is missing, null, an array or an object is left out; text is cut to 256 characters.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = {name: path.split(".") for name, path in paths.items()}
        roots = {path[0] for path in self._paths.values()}
        self._reads_args = "args" in roots
        self._reads_kwargs = "kwargs" in roots

    def values(
        self, args: Sequence[Any] | Raw, kwargs: Mapping[str, Any] | Raw
    ) -> dict[str, Scalar]:
        """The attributes of one job, from its arguments as Python values or as JSON text."""
        # Only one step deep: what is not asked for is never built.
        roots: dict[str, Any] = {
            "args": _shallow(args, _array) if self._reads_args else (),
            "kwargs": _shallow(kwargs, _object) if self._reads_kwargs else {},
        }
        found = {name: _scalar(_at(roots, path)) for name, path in self._paths.items()}
        return {name: value for name, value in found.items() if value is not None}


def _shallow(value: Any, decoder: msgspec.json.Decoder[Any]) -> Any:
    if isinstance(value, Raw):
        try:
            return decoder.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            return None
    return value


def _at(value: Any, path: Sequence[str]) -> Any:
    for step in path:
        if not isinstance(value, Raw | Mapping | list | tuple):
            # A model or a dataclass: the handler will get it as its JSON says.
            value = _raw(value)
        if isinstance(value, Raw):
            value = _shallow(value, _array if _opens_with(value, b"[") else _object)
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _scalar(value: Any) -> Scalar | None:
    if isinstance(value, Raw):
        if _opens_with(value, b"[{"):
            return None
        value = msgspec.json.decode(value)
    elif not isinstance(value, _PLAIN):
        # A UUID, datetime, Decimal or Enum.
        raw = _raw(value)
        return None if raw is None else _scalar(raw)
    if isinstance(value, str):
        return value[:MOST_CHARACTERS]
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        # Beyond this no backend can store it as a number.
        return value if -(2**63) <= value < 2**63 else str(value)[:MOST_CHARACTERS]
    return None


def _raw(value: Any) -> Raw | None:
    from rrq.store.codec import encode_json

    try:
        return Raw(encode_json(value))
    except Exception:
        return None


def _opens_with(raw: Raw, characters: bytes) -> bool:
    return bytes(raw).lstrip()[:1] in [characters[i : i + 1] for i in range(len(characters))]


_PLAIN = (str, int, float, list, tuple, dict, type(None))

_array = msgspec.json.Decoder(list[Raw])
_object = msgspec.json.Decoder(dict[str, Raw])

_NAME = re.compile(rf"[A-Za-z0-9._/-]{{1,{LONGEST_NAME}}}")
_PATH = re.compile(r"(kwargs\.[^.]+|args\.\d{1,4})(\.[^.]+){0,8}")
