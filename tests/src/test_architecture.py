"""The tree under src: nothing of the old architecture, managers by the factory alone, and a life without legacy."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
OLD_NAMES = ("Strategy", "StrategySet", "MessageParser")
FACTORY = ("builder.py", "utils.py")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of src but generated ones."""
    for path in sorted(SRC.rglob("*.py")):
        if not path.name.endswith("_pb2.py"):
            yield path.relative_to(SRC), ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.checklist("6.1.1", "6.1.2", "6.1.3", "6.1.6", "6.2.1")
def test_no_strategy_is_left() -> None:
    assert [path for path in SRC.rglob("*") if "strateg" in path.name.lower()] == []
    found = [
        (path, node.name)
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(OLD_NAMES)
    ]
    assert found == []


@pytest.mark.checklist("6.1.4", "6.1.5", "6.2.5")
def test_nothing_imports_the_old_architecture() -> None:
    assert [(path, name) for path, tree in modules() for name in imports(tree) if name.split(".")[0] == "legacy"] == []


@pytest.mark.checklist("6.2.2", "6.2.3", "6.2.4")
def test_every_public_class_of_the_stack_is_used_somewhere_else() -> None:
    """An interface that nobody names but its own module is a dead one; `testing` is offered to users."""
    texts = {path: path.read_text() for folder in (SRC, ROOT / "shadow") for path in folder.rglob("*.py")}
    unused = []
    for path, tree in modules():
        if path.parts[0] != "infrastructure" or path.name in ("testing.py", "structs.py"):
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                inside = texts[SRC / path].count(node.name)
                elsewhere = sum(node.name in text for other, text in texts.items() if other != SRC / path)
                if not elsewhere and inside < 3:
                    unused.append((path, node.name))
    assert unused == []


@pytest.mark.checklist("4.2.5", "4.2.6")
def test_managers_are_made_by_the_factory_alone() -> None:
    """Who calls the class is a builder, which only the factory loads; nobody else names a handler's constructor."""
    makers = {
        path.name
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "WebSocketManager"
    }
    assert makers == {"builder.py"}
    loaders = {
        path.name
        for path, tree in modules()
        if any(name.endswith(".builder") or ".builder." in name for name in imports(tree))
    }
    assert loaders <= set(FACTORY)


WITHOUT_LEGACY = """
import asyncio, sys
sys.modules["legacy"] = None
from exchanges.structs import ConfigurationError, ExchangeConfig
from infrastructure.networking.websocket.utils import create_websocket_manager

async def main():
    async def nobody(message):
        pass
    for name in ("GATEIO_SPOT", "GATEIO_FUTURES", "MEXC_SPOT"):
        config = ExchangeConfig(name, websocket_url="ws://127.0.0.1:1/", base_url="http://127.0.0.1:1")
        try:
            manager = create_websocket_manager(config, False, nobody)
            print(name, type(manager).__module__)
            await manager.close()
        except ConfigurationError as error:
            print(name, "refused:", error)

asyncio.run(main())
"""


@pytest.mark.checklist("6.1.4", "6.2.5")
@pytest.mark.parametrize(
    ("variant", "says"), [("complete", "infrastructure.networking.websocket.ws_manager"), ("off", "cannot be loaded")]
)
def test_the_new_stack_lives_without_legacy(variant: str, says: str, tmp_path: Path) -> None:
    variants = {name: name for name in ("off", "complete")}
    flag = {"state": "ENABLED", "variants": variants, "defaultVariant": variant}
    (tmp_path / "flags.json").write_text(json.dumps({"flags": {"websocket-stack": flag}}))
    environment = os.environ | {
        "WS_SHADOW_FLAGS": str(tmp_path / "flags.json"),
        "WS_SHADOW_KILL": str(tmp_path / "none"),
    }
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LEGACY],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(says in line for line in lines)
