"""What all pages share: the templates with their escaping, the style, and files that are written whole."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["page", "write_whole"]

PAGES: Final = Path(__file__).parent / "pages"


def page(template: str, **parts: Any) -> str:
    """A page from its template and its parts, with the style sheet; all that is not Markup is escaped."""
    from markupsafe import Markup

    style = Markup((PAGES / "style.css").read_text("utf-8"))
    return _templates().get_template(template).render(style=style, **parts)


@cache
def _templates() -> Environment:
    """The templates, each compiled once in a process."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # Escaping is on for every template: by default jinja2 would leave `.jinja` files without it.
    pages = Environment(
        loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["breakable"] = _breakable
    return pages


def _breakable(text: str) -> Markup:
    """`text`, escaped, that may break behind its dots: long metric ids on narrow screens."""
    from markupsafe import Markup, escape

    return Markup(".<wbr>").join(escape(part) for part in text.split("."))


def write_whole(path: Path, text: str, mode: int | None = None) -> None:
    """Whole or not at all, whoever else writes it: a reader never sees half a page. `mode` are its permissions."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.write_bytes(text.encode("utf-8"))
    if mode is not None:
        draft.chmod(mode)
    os.replace(draft, path)
