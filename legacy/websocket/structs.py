"""The public types under their legacy address; both stacks share the one definition."""

from exchanges.structs import *  # noqa: F403
