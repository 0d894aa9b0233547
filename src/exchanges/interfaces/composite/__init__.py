"""What an application holds: one object per exchange and market, public or private."""

from exchanges.interfaces.composite.books import BookState
from exchanges.interfaces.composite.connection import Fault
from exchanges.interfaces.composite.held import Held
from exchanges.interfaces.composite.private import PrivateExchange
from exchanges.interfaces.composite.public import PublicExchange

__all__ = ["BookState", "Fault", "Held", "PrivateExchange", "PublicExchange"]
