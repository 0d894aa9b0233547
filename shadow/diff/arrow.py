"""Columns out of Arrow as Python lists: as `to_pylist` gives them, in a fraction of its time."""

from __future__ import annotations

from typing import Any

__all__ = ["columns_of_table", "values_of"]


def columns_of_table(table: Any) -> dict[str, list[Any]]:
    """A table, column by column."""
    return {name: values_of(table[name]) for name in table.column_names}


def values_of(column: Any) -> list[Any]:
    """A column's values: numbers by way of numpy, texts each made once, for most of them stand in many rows."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind):
        return texts_of(column)
    if not column.null_count and (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        numbers: list[Any] = column.to_numpy().tolist()
        return numbers
    found: list[Any] = column.to_pylist()
    return found


def texts_of(column: Any) -> list[Any]:
    """Texts, and None for null."""
    texts: list[Any] = []
    for chunk in column.chunks:
        coded = chunk.dictionary_encode()
        words = [*coded.dictionary.to_pylist(), None]
        texts += [words[place] for place in coded.indices.fill_null(-1).to_numpy().tolist()]
    return texts
