"""`Hooks`: the registered plugins and calls to them, one plugin at a time.

pluggy calls all implementations of a hook in one go and stops at the first that raises. Here
each plugin's is a call of its own, so that what one raises never reaches the others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import isawaitable, isclass
from typing import TYPE_CHECKING, Any

from pluggy import PluginManager

from rrq import hookspecs
from rrq.suggestion import did_you_mean

if TYPE_CHECKING:
    from pluggy import HookImpl, Result

ReportFailure = Callable[[str, str, BaseException], None]
"""Told of a plugin's name, a hook's name and what the plugin raised there."""

HOOKS = tuple(name for name, value in vars(hookspecs).items() if hasattr(value, "rrq_spec"))
"""The names of all hooks."""


class UnfitPlugin(Exception):
    """A plugin does not fit the hooks; the message says where."""


class Hooks:
    """Every registered plugin; asked by `tryfirst` and `trylast`, else the latest first, and
    the built-in ones after all others."""

    def __init__(self, report: ReportFailure) -> None:
        self._report = report
        self._manager = PluginManager("rrq")
        self._manager.add_hookspecs(hookspecs)
        self._builtin: set[str] = set()
        self._callers: dict[str, dict[str, Callable[..., Any]]] = {}
        if os.environ.get("RRQ_TRACE_HOOKS", "0") not in ("", "0"):
            self._manager.add_hookcall_monitoring(_trace_call, _trace_answer)

    def register(self, name: str, plugin: object, *, builtin: bool = False) -> None:
        """Take a plugin in.

        Raises:
            UnfitPlugin: its hooks do not fit; nothing of it is taken in.
        """
        _check_marks(plugin)
        try:
            self._manager.register(plugin, name)
        except Exception as error:
            # pluggy's message has a line for each of plugin, hook and problem.
            raise UnfitPlugin(" ".join(str(error).split())) from error
        if problem := self._problem_of(plugin):
            self._manager.unregister(plugin)
            raise UnfitPlugin(problem)
        self._callers.clear()
        if builtin:
            self._builtin.add(name)

    def plugin(self, name: str) -> object | None:
        """The registered plugin of that name."""
        return self._manager.get_plugin(name)

    def implementers(self, hook: str, *, builtin: bool = True) -> list[str]:
        """The names of the plugins that implement a hook, in the order of their calls."""
        return [name for name in self._callers_of(hook) if builtin or name not in self._builtin]

    def call(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Ask the plugins one after the other, as far as the caller listens.

        Yields:
            A plugin's name and its answer, for each answer other than None.
        """
        for name, caller in list(self._callers_of(hook).items()):
            for answer in self._ask(name, hook, caller, arguments):
                yield name, answer

    def ask(
        self, name: str, hook: str, *, raising: tuple[type[Exception], ...] = (), **arguments: Any
    ) -> list[Any]:
        """One plugin's answers other than None; none also if it raised, which is reported.

        Args:
            raising: what the caller wants to be raised, not reported.
        """
        caller = self._callers_of(hook).get(name)
        return self._ask(name, hook, caller, arguments, raising) if caller else []

    async def call_async(self, hook: str, **arguments: Any) -> None:
        """Call the plugins one after the other, awaiting those that are async."""
        for name, answer in self.call(hook, **arguments):
            if isawaitable(answer):
                try:
                    await answer
                except Exception as error:
                    self._report(name, hook, error)

    def _ask(
        self,
        name: str,
        hook: str,
        caller: Callable[..., Any],
        arguments: Mapping[str, Any],
        raising: tuple[type[Exception], ...] = (),
    ) -> list[Any]:
        try:
            answer = caller(**arguments)
        except raising:
            raise
        except (Exception, SystemExit) as error:
            self._report(name, hook, error)
            return []
        if hook in _FIRST_RESULT:
            return [] if answer is None else [answer]
        return list(answer)

    def _callers_of(self, hook: str) -> dict[str, Callable[..., Any]]:
        """By plugin, what calls its implementation of a hook and no other's."""
        if hook not in self._callers:
            implementations = reversed(getattr(self._manager.hook, hook).get_hookimpls())
            ordered = sorted(implementations, key=lambda one: one.plugin_name in self._builtin)
            self._callers[hook] = {
                one.plugin_name: self._alone(hook, one.plugin) for one in ordered
            }
        return self._callers[hook]

    def _alone(self, hook: str, plugin: object) -> Callable[..., Any]:
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        return self._manager.subset_hook_caller(hook, others)

    def _problem_of(self, plugin: object) -> str | None:
        """What is wrong with a registered plugin that pluggy itself accepts."""
        callers = self._manager.get_hookcallers(plugin) or []
        if not callers:
            return "it implements no hook"
        for caller in callers:
            mine = [one for one in caller.get_hookimpls() if one.plugin is plugin]
            if not caller.has_spec() and not all(one.optionalhook for one in mine):
                return f"RRQ has no hook {caller.name}.{did_you_mean(caller.name, HOOKS)}"
            if any(one.wrapper or one.hookwrapper for one in mine):
                return f"{caller.name} is a wrapper, but each plugin is called alone"
        return None


_FIRST_RESULT = tuple(
    name for name in HOOKS if getattr(hookspecs, name).rrq_spec.get("firstresult")
)


def _check_marks(plugin: object) -> None:
    if isclass(plugin):
        raise UnfitPlugin(f"{plugin.__qualname__} is a class: name an instance of it")
    try:
        hash(plugin)
    except TypeError:
        raise UnfitPlugin(f"a {type(plugin).__qualname__} cannot be hashed") from None
    for hook in HOOKS:
        implementation = getattr(plugin, hook, None)
        if callable(implementation) and not hasattr(implementation, "rrq_impl"):
            raise UnfitPlugin(f"{hook} lacks the mark @rrq.hookimpl")


def _trace_call(
    hook: str, implementations: Sequence[HookImpl], arguments: Mapping[str, Any]
) -> None:
    names = ", ".join(one.plugin_name for one in implementations)
    print(f"hook {hook}({', '.join(arguments)}) asks {names}", file=sys.stderr)


def _trace_answer(
    outcome: Result[Any],
    hook: str,
    implementations: Sequence[HookImpl],
    arguments: Mapping[str, Any],
) -> None:
    names = ", ".join(one.plugin_name for one in implementations)
    if outcome.exception is not None:
        print(f"hook {hook}: {names} raised {outcome.exception!r}", file=sys.stderr)
    else:
        print(f"hook {hook}: {names} answered {outcome.get_result()!r}", file=sys.stderr)
