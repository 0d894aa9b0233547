"""Whatever happens to the lines, each account event ends in exactly one code and the other side stays clean."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = (
    "id", "order_id", "status", "side", "price", "quantity", "filled", "ts", "asset", "free", "locked", "size", "t",
    "mode", "symbol", "type", "c",
)  # fmt: skip
VALUES: tuple[Any, ...] = (None, 0, -1, 1e300, "1e999999", "x", [1], {"a": 1}, True, "fill", "filled", "nan", 2**63)
damages = st.lists(
    st.tuples(st.sampled_from(("drop", "copy", "swap", "change", "change")), st.integers(0, 400), st.integers(0, 400),
              st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=10
)  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damages)
def test_totals_add_up_under_any_damage(plain_private_scene: Any, plan: list[tuple[str, int, int, str, Any]]) -> None:
    scene = plain_private_scene.copy()
    lines = scene.lines["new"]
    for kind, i, j, name, value in plan:
        i, j = i % len(lines), j % len(lines)
        if kind == "drop":
            del lines[i]
        elif kind == "copy":
            lines.insert(j, dict(lines[i]))
        elif kind == "swap":
            lines[i], lines[j] = lines[j], lines[i]
        else:
            lines[i][name] = value
    diff = scene.judge()
    assert diff.conserved
    assert diff.totals["new"]["input"] == len(lines) == sum(diff.totals["new"]["delivered_codes"].values())
    assert diff.totals["legacy"]["codes"] == {"MATCH": 118}
    assert {item.side for item in diff.differences} <= {"new"}
