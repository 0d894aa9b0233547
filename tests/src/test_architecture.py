"""The tree: nothing of the old architecture in src, managers by the factory alone, no hands inside them, and a life
without legacy."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from exchanges.interfaces.composite import PrivateExchange, PublicExchange
from exchanges.interfaces.composite.connection import Manager
from infrastructure.networking.websocket.utils import create_websocket_manager

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
OLD_NAMES = ("Strategy", "StrategySet", "MessageParser")
FACTORY = ("builder.py", "utils.py")
EXCHANGES = ("gateio", "mexc")
EVERYTHING = ("src", "legacy", "shadow", "reports", "bench", "docs", "tests")
COMPOSITE = "src/exchanges/interfaces/composite"
MANAGER_API = {name for name in vars(Manager) if not name.startswith("_")}
MANAGERS = ("manager",)
GIVE_MANAGERS = ("running", "create_manager", "create_websocket_manager")

pytestmark = pytest.mark.no_cover


@cache
def tree_of(path: Path) -> ast.Module:
    """Read by many rules, changed by none."""
    return ast.parse(path.read_text())


@cache
def nodes_of(tree: ast.Module) -> list[ast.AST]:
    return list(ast.walk(tree))


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    """What was read goes with the last rule: who looks for garbage later need not go over it."""
    yield
    for kept in (tree_of, nodes_of):
        kept.cache_clear()


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of src but generated ones."""
    for path in sorted(SRC.rglob("*.py")):
        if not path.name.endswith("_pb2.py"):
            yield path.relative_to(SRC), tree_of(path)


def imports(tree: ast.Module) -> Iterator[str]:
    for node in nodes_of(tree):
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
        for node in nodes_of(tree)
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
        own = SRC / path
        if path.parts[0] != "infrastructure" or path.name in ("testing.py", "structs.py"):
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                inside = texts[own].count(node.name)
                is_elsewhere = any(node.name in text and other != own for other, text in texts.items())
                if not is_elsewhere and inside < 3:
                    unused.append((path, node.name))
    assert unused == []


def calls_of(tree: ast.Module, name: str) -> list[int]:
    """Lines that call something of this name, also where it was imported under another or is asked of its module."""
    bound = {name} | {
        alias.asname
        for node in nodes_of(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == name and alias.asname
    }
    return [
        node.lineno
        for node in nodes_of(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in bound)
            or (isinstance(node.func, ast.Attribute) and node.func.attr == name)
        )
    ]


TAP_CLOCK = "src/infrastructure/networking/websocket/migration/stamps.py"


def reaches_inside(tree: ast.Module) -> list[int]:
    """Lines that read or write a member with an underscore of anything but the object itself and its bases."""
    lines = []
    for node in nodes_of(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
            owner = node.value
            is_own = isinstance(owner, ast.Name) and owner.id in ("self", "cls")
            is_base = isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super"
            if not (is_own or is_base):
                lines.append(node.lineno)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
            named = node.args[1] if len(node.args) > 1 else None
            if isinstance(named, ast.Constant) and str(named.value).startswith("_"):
                lines.append(node.lineno)
    return lines


def beyond_the_api(tree: ast.Module) -> list[tuple[int, str]]:
    """What is asked of a manager besides the methods that every manager has."""
    found = []
    for node in nodes_of(tree):
        if not isinstance(node, ast.Attribute):
            continue
        is_call = isinstance(node.value, ast.Call)
        owner = node.value.func if isinstance(node.value, ast.Call) else node.value
        name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        if name.strip("_") in (GIVE_MANAGERS if is_call else MANAGERS) and node.attr not in MANAGER_API:
            found.append((node.lineno, node.attr))
    return found


def checkout(*folders: str, naming: Sequence[str] = ("",)) -> Iterator[tuple[str, ast.Module]]:
    """Every module below these folders in whose text one of these names stands, generated ones apart."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not path.name.endswith("_pb2.py") and any(map(path.read_text().__contains__, naming)):
                yield str(path.relative_to(ROOT)), tree_of(path)


def callers_of_managers(*naming: str) -> Iterator[tuple[str, ast.Module]]:
    """All that name one of these, but what times a manager's parts one by one: bench and the probe of a session."""
    found = checkout("src", "shadow", "docs", naming=naming)
    yield from (one for one in found if not one[0].startswith("shadow/subjects/probe/"))


@pytest.mark.checklist("4.2.2", "4.2.3", "4.2.4", "4.2.5", "4.2.6")
def test_managers_are_made_by_builders_alone() -> None:
    """Integration points, tests, benches and examples; an example of a new exchange has a builder of its own."""
    name = "WebSocketManager"
    makers = {path for path, tree in checkout(*EVERYTHING, naming=[name]) if calls_of(tree, name)}
    exchanges = {f"{stack}/{one}/builder.py" for stack in ("src/exchanges/integrations", "legacy") for one in EXCHANGES}
    assert makers == exchanges | {"docs/examples/acme.py"}


@pytest.mark.checklist("4.2.5", "4.2.6")
def test_builders_are_loaded_by_the_factory_alone() -> None:
    loaders = {
        path.name
        for path, tree in modules()
        if any(name.endswith(".builder") or ".builder." in name for name in imports(tree))
    }
    assert loaders <= set(FACTORY)
    name = "load_builder"
    callers = {path for path, tree in callers_of_managers(name) if calls_of(tree, name)}
    assert callers == {"src/infrastructure/networking/websocket/utils.py"}


@pytest.mark.checklist("4.2.1", "4.2.8", "4.2.11")
def test_nobody_reaches_into_another_object() -> None:
    """But for the tap's clock: legacy tells nobody when it read a frame, and may not be changed to do so."""
    found = {path: lines for path, tree in checkout("src", "docs") if (lines := reaches_inside(tree))}
    clock = (ROOT / TAP_CLOCK).read_text().splitlines()
    assert [clock[line - 1].count("_queue") for line in found.pop(TAP_CLOCK)] == [1, 1]
    assert found == {}


@pytest.mark.checklist("4.2.1", "4.2.4", "4.2.8", "4.2.11")
def test_callers_ask_a_manager_for_its_public_api_alone() -> None:
    """Who holds managers: applications' objects, our subjects, examples. The factory itself looks at the handler; who
    reports a rollout asks a manager of both stacks where its units are."""
    callers = callers_of_managers(*MANAGERS, *GIVE_MANAGERS)
    found = {(path, name) for path, tree in callers for _, name in beyond_the_api(tree)}
    assert found == {
        ("src/infrastructure/networking/websocket/utils.py", "handler"),
        *(("shadow/subjects/consumer.py", name) for name in ("flip_records", "scope", "serving", "stages")),
    }


@pytest.mark.checklist("4.2.11")
@pytest.mark.parametrize("name", ["infrastructure.networking.websocket.ws_manager", "legacy.websocket.ws_manager"])
def test_the_public_api_is_what_both_managers_have(name: str) -> None:
    """An application's objects know a manager by this protocol; the factory's answer has no type that would say so."""
    real = import_module(name).WebSocketManager
    for method in MANAGER_API:
        known, had = (inspect.signature(getattr(one, method)) for one in (Manager, real))
        assert list(known.parameters) == list(had.parameters), method
        assert inspect.iscoroutinefunction(getattr(real, method)) == inspect.iscoroutinefunction(
            getattr(Manager, method)
        )


@pytest.mark.checklist("4.2.1", "4.2.9")
def test_what_an_application_holds_gets_its_factory_injected() -> None:
    """It names the factory as a default and calls what it was given."""
    found = [path for path, tree in checkout(COMPOSITE) if calls_of(tree, "create_websocket_manager")]
    assert found == []
    for held in (PublicExchange, PrivateExchange):
        assert inspect.signature(held).parameters["create_manager"].default is create_websocket_manager


VIOLATIONS = {
    "made = WebSocketManager(config)": "calls_of",
    "from x.ws_manager import WebSocketManager as W\nW(config)": "calls_of",
    "ws_manager.WebSocketManager(config)": "calls_of",
    "self._manager._websocket.close()": "reaches_inside",
    "books._keeper": "reaches_inside",
    "manager.handler._books = None": "reaches_inside",
    "getattr(manager, '_queue')": "reaches_inside",
    "self._manager.handler": "beyond_the_api",
    "manager.connection_state": "beyond_the_api",
    "self._running().strategies": "beyond_the_api",
    "self._create_manager(config).metrics": "beyond_the_api",
}


@pytest.mark.parametrize("code", VIOLATIONS)
def test_the_checks_see_what_they_are_for(code: str) -> None:
    tree = ast.parse(code)
    seen = {
        "calls_of": bool(calls_of(tree, "WebSocketManager")),
        "reaches_inside": bool(reaches_inside(tree)),
        "beyond_the_api": bool(beyond_the_api(tree)),
    }
    assert seen[VIOLATIONS[code]]


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
