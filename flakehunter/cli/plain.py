"""Options whose values need no conversion are taken as they are.

The library of typer that converts values takes longer to import than all the rest of `flakehunter --help`. What was
not given, and what is of the wanted type already, needs none of it.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from typer.core import TyperCommand


def take_plain_values(parameters: Iterable[Any]) -> Iterable[Any]:
    """Have each of the `parameters` convert only values that are not of its type yet; return them."""
    for parameter in parameters:
        # Versions of typer that convert with click alone are quick, and do not know their parameters' types.
        if hasattr(parameter, "type_descriptor") and not hasattr(parameter, "converting"):
            parameter.converting = parameter.process_value
            parameter.process_value = lambda context, value, own=parameter: _process(own, context, value)
    return parameters


def _process(parameter: Any, context: Any, value: Any) -> Any:
    value = _word(parameter, value)
    if _is_texts(parameter, value):
        value = list(value)
    elif parameter.required or not _is_plain(parameter, value):
        return parameter.converting(context, value)
    elif value is None and (parameter.multiple or parameter.nargs == -1):
        value = ()
    return value if parameter.callback is None else parameter.callback(context, parameter, value)


def _word(parameter: Any, value: Any) -> Any:
    """Return a text that is one of the words of a choice as that word; anything else as it is."""
    wanted = parameter.type_descriptor.annotation
    if type(value) is str and isinstance(wanted, type) and issubclass(wanted, StrEnum) and value in list(wanted):
        return wanted(value)
    return value


def _is_texts(parameter: Any, value: Any) -> bool:
    """Whether `value` is one text or more, each of which may be any text."""
    texts = parameter.type_descriptor.annotation == list[str] and isinstance(value, (tuple, list)) and value
    return bool(texts) and all(type(text) is str for text in value)


def _is_plain(parameter: Any, value: Any) -> bool:
    """Whether `value` was not given, is a word of a choice, a text that may be any text, or the default of its type."""
    if value is None:
        return True
    wanted = parameter.type_descriptor.annotation
    return type(value) is wanted and (wanted in (bool, str) or isinstance(value, StrEnum) or value == parameter.default)


class PlainCommand(TyperCommand):
    """A command that is quick to start where its options need no conversion."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters."""
        return take_plain_values(super().get_params(ctx))
