"""Which backend's propagation headers travel, where several write the same one.

The W3C headers come whole from one backend, their owner: two halves of different traces would
lead nowhere. All others merge; the first backend in the order wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

W3C_HEADERS = ("traceparent", "tracestate", "baggage")


def order(name: str, w3c_is_native: bool, owner: str | None) -> tuple[bool, bool, str]:
    """What backends are sorted by: the configured owner, those to whom W3C is native, names."""
    return (name != owner, not w3c_is_native, name)


def merged(base: Mapping[str, str], wanted: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The headers that travel.

    Args:
        base: those that were there before.
        wanted: all headers as each backend would have them, in the order of the backends. What
            stands there as in `base` was not written by it.
    """
    if len(wanted) == 1:
        return dict(wanted[0])
    headers = dict(base)
    for mapping in reversed(wanted):
        for name, value in mapping.items():
            if name not in W3C_HEADERS and base.get(name) != value:
                headers[name] = value
    for mapping in wanted:
        if any(base.get(name) != mapping[name] for name in W3C_HEADERS if name in mapping):
            for name in W3C_HEADERS:
                headers.pop(name, None)
                if name in mapping:
                    headers[name] = mapping[name]
            break
    return headers
