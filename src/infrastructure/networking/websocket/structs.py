"""The public types of both stacks, at the path where callers of this package look for them."""

from exchanges.structs.errors import *  # noqa: F403
from exchanges.structs.types import *  # noqa: F403
