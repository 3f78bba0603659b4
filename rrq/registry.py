"""`JobRegistry`: the handlers that a Python executor offers, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Handler = Callable[..., Any]
"""`async def handler(ctx, *args, **kwargs)`, or a plain function, which runs in a thread."""


class JobRegistry:
    """Handlers by the name that a job asks for."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def register(self, name: str, handler: Handler, replace: bool = False) -> None:
        """Offer `handler` under `name`.

        Raises:
            ValueError: `handler` cannot be called, or the name is taken and `replace` is false.
        """
        if not callable(handler):
            raise ValueError(f"The handler for {name!r} cannot be called: {handler!r}")
        if name in self._handlers and not replace:
            raise ValueError(f"A handler for {name!r} is registered already: pass replace=True")
        self._handlers[name] = handler

    def unregister(self, name: str) -> None:
        """Withdraw the handler of `name`, if there is one."""
        self._handlers.pop(name, None)

    def get_handler(self, name: str) -> Handler | None:
        """The handler of `name`, or None."""
        return self._handlers.get(name)

    def get_registered_functions(self) -> list[str]:
        """The names that have a handler, in the order of their registration."""
        return list(self._handlers)

    def clear(self) -> None:
        """Withdraw every handler."""
        self._handlers.clear()
