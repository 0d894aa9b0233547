"""Types and errors that both stacks share."""

from exchanges.structs.errors import *  # noqa: F403
from exchanges.structs.types import *  # noqa: F403
