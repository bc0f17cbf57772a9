"""A user's mistake in a configuration that knows which keys it is about, so that where they come from can be said."""

from __future__ import annotations

from iamm.errors import ConfigError


class Mistake(ConfigError):
    """The rule, what was found, what to do.

    Args:
        text: in one line.
        keys: dotted paths of the values that do not go.
    """

    def __init__(self, text: str, *keys: str) -> None:
        super().__init__(text)
        self.keys = keys
