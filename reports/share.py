"""What of a run may leave the house: account data become pseudonyms, public data and statistics stay.

What stays is listed, what goes is not: a value of a private connection is kept only where it is a word of the protocol
(a side, a status), a symbol of the session or a time of the harness's own clock.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from reports.pseudonyms import Pseudonyms
from reports.records import DifferenceRow, Session, Verdict
from reports.run_data import ReportInput
from reports.series import Sample

__all__ = ["shareable"]

NOTE: Final = (
    "shared copy: account data and what the stacks said in words are replaced by pseudonyms that nobody can undo"
)
NOTE_PUBLIC: Final = "shared copy: the session had no private connection, nothing had to be replaced"
# Numbers of the harness itself: times of its own clock, how a process ended.
OWN_NUMBERS: Final = frozenset({"t", "recv", "dequeued", "decoded", "routed", "code", "signal"})
WORD_FIELDS: Final = frozenset(
    {"k", "c", "type", "symbol", "kind", "state", "status", "side", "role", "mode", "channel", "event", "tif",
     "time_in_force", "finish_as", "change_type", "reason"}
)  # fmt: skip
NAME_FIELDS: Final = frozenset({"contract", "currency_pair", "asset", "fee_asset", "currency", "fee_currency"})
EVENT_TYPES: Final = frozenset({"book", "trade", "book_ticker", "ticker", "order", "fill", "balance", "position"})
CONNECTION: Final = re.compile(r"[a-z]{2,12}\.[a-z]{2,12}\.(?:public|private)")
WORD: Final = re.compile(r"[A-Za-z_][A-Za-z_.!@-]{0,40}")
NAME: Final = re.compile(r"[A-Za-z_]{1,32}")
TOKEN: Final = re.compile(r"[^\s\"'(),;:=/.]+")
# A failed subject's own words stand between the failure and the leg.
SAID: Final = re.compile(r"(The [a-z ]{3,90}): (.*) (\(leg [^()]*\).*)", re.DOTALL | re.IGNORECASE)
MOST_DIGITS: Final = 7
LONGEST_PLAIN: Final = 15


def shareable(data: ReportInput) -> ReportInput:
    """The same report without account data; its pseudonyms hold within this one copy."""
    if data.session.connections and not any(map(_is_private, data.session.connections)):
        return msgspec.structs.replace(data, reproducers=[], problems=[*data.problems, NOTE_PUBLIC])
    return _Veil(data.session).over(data)


class _Veil:
    def __init__(self, session: Session) -> None:
        self._of = Pseudonyms().of
        pairs = [symbol.split("_") for symbol in session.symbols]
        self._names = {*session.symbols, *("".join(pair) for pair in pairs), *(part for pair in pairs for part in pair)}

    def over(self, data: ReportInput) -> ReportInput:
        return msgspec.structs.replace(
            data,
            session=msgspec.structs.replace(data.session, commands=self._commands(data.session.commands)),
            analysis=msgspec.structs.replace(
                data.analysis, samples=[self._sample(sample) for sample in data.analysis.samples]
            ),
            manifest=msgspec.structs.replace(
                data.manifest, interrupted=data.manifest.interrupted and self._text(data.manifest.interrupted)
            ),
            verdict=data.verdict and self._verdict(data.verdict),
            differences=[self._row(row) for row in data.differences],
            reproducers=[],
            problems=[*(self._text(problem) for problem in data.problems), NOTE],
        )

    def _commands(self, commands: dict[str, Any] | None) -> dict[str, Any] | None:
        return commands and {role: self._text(str(command)) for role, command in commands.items()}

    def _verdict(self, verdict: Verdict) -> Verdict:
        return msgspec.structs.replace(
            verdict,
            known=_mapped(verdict.known, self._text),
            reason=self._sentence(verdict.reason),
            triggers=[
                msgspec.structs.replace(trigger, worst=trigger.worst and self._text(trigger.worst))
                for trigger in verdict.triggers
            ],
            differences=[self._row(row) for row in verdict.differences],
            calibration=verdict.calibration
            and msgspec.structs.replace(
                verdict.calibration, problems=[self._sentence(problem) for problem in verdict.calibration.problems]
            ),
        )

    def _row(self, row: DifferenceRow) -> DifferenceRow:
        return msgspec.structs.replace(
            row,
            connection=self._connection(row.connection),
            type=self._type(row.type),
            symbol=self._symbol(row.symbol),
            field=row.field and self._text(row.field),
        )

    def _sample(self, sample: Sample) -> Sample:
        is_public = CONNECTION.fullmatch(sample.connection or "") is not None and not _is_private(sample.connection)
        known = _leaves(sample.expected, sample.frame) if is_public else frozenset()
        return msgspec.structs.replace(
            sample,
            connection=self._connection(sample.connection),
            type=self._type(sample.type),
            symbol=self._symbol(sample.symbol),
            field=sample.field and self._text(sample.field),
            expected=sample.expected if is_public else self._whole(sample.expected),
            delivered=self._whole(sample.delivered, known),
            frame=sample.frame if is_public else self._frame(sample.frame),
        )

    def _whole(self, value: Any, known: frozenset[str] = frozenset()) -> Any:
        try:
            return self._value(value, "", known)
        except RecursionError:
            return self._of("too deep")

    def _frame(self, frame: Any) -> Any:
        try:
            return json.dumps(self._value(json.loads(frame)), ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            return self._value(frame)

    def _value(self, value: Any, name: str = "", known: frozenset[str] = frozenset()) -> Any:
        """A value of an event or frame; `known` are texts that a public frame holds, and that may stay."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, dict):
            return {self._key(key): self._value(item, key, known) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, name, known) for item in value]
        if isinstance(value, str):
            return value if _plain(value) in known or self._may_stay(name, value) else self._hidden(name, value)
        is_own = name in OWN_NUMBERS and isinstance(value, int)
        return value if is_own or _plain(value) in known else self._of(value)

    def _may_stay(self, name: str, value: str) -> bool:
        is_name = name in NAME_FIELDS and value.upper() in self._names
        return not value or is_name or (name in WORD_FIELDS and self._is_word(value))

    def _hidden(self, name: str, value: str) -> str:
        return self._of(value) if name else self._spoken(value)

    def _is_word(self, value: str) -> bool:
        return value in self._names or WORD.fullmatch(value) is not None

    def _spoken(self, text: str) -> str:
        """A text without a field: what a side asked, as words; anything else is one pseudonym."""
        tokens = text.split()
        return " ".join(token if self._is_word(token) else self._of(token) for token in tokens)

    def _key(self, key: str) -> str:
        return key if NAME.fullmatch(key) else self._of(key)

    def _connection(self, name: str | None) -> str | None:
        return name if not name or CONNECTION.fullmatch(name) else self._of(name)

    def _type(self, name: str | None) -> str | None:
        return name if not name or name in EVENT_TYPES else self._of(name)

    def _symbol(self, name: str | None) -> str | None:
        return name if not name or name in self._names else self._of(name)

    def _sentence(self, text: str) -> str:
        """A sentence of the judge; a subject's last words in it are one pseudonym."""
        said = SAID.fullmatch(text)
        return self._text(text) if said is None else f"{said[1]}: {self._of(said[2])} {self._text(said[3])}"

    def _text(self, text: str) -> str:
        """The harness's own words; what looks like an id, a key or a user's number goes."""
        return TOKEN.sub(lambda found: self._of(found[0]) if _is_telling(found[0]) else found[0], text)


def _is_private(connection: str | None) -> bool:
    return not (connection or "").endswith(".public")


def _mapped(value: Any, text: Callable[[str], str]) -> Any:
    """The same with every text in it changed."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [_mapped(item, text) for item in value]
    return {key: _mapped(item, text) for key, item in value.items()} if isinstance(value, dict) else value


def _is_telling(token: str) -> bool:
    digits = sum(letter.isdigit() for letter in token.lstrip("0.-"))
    is_number = re.fullmatch(r"[\d.,%-]+", token) is not None
    return digits > MOST_DIGITS or (not is_number and digits > 0 and len(token) > LONGEST_PLAIN)


def _leaves(*values: Any) -> frozenset[str]:
    """Every number and text in some values, JSON in a text included, as they are spelt plainly."""
    return frozenset(_each(values))


def _each(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _each(item)
    elif isinstance(value, str):
        yield _plain(value)
        if value[:1] in ("{", "["):
            try:
                yield from _each(json.loads(value))
            except (ValueError, RecursionError):
                return
    elif value is not None:
        yield _plain(value)


def _plain(value: Any) -> str:
    """A number as text, the same for `"1.50"` and 1.5."""
    try:
        return repr(float(value))
    except (TypeError, ValueError, OverflowError):
        return str(value)
