"""What `make shadow-run` calls: `shadow run`, and a last line that tells the verdict's own code apart from make's."""

from __future__ import annotations

import contextlib
import io
import json
import sys

from shadow.cli import main

__all__ = ["run"]


def run(argv: list[str]) -> int:
    """Run a session; prints `verdict=... code=... report=...` as the last line on stdout."""
    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        code = main(["run", *argv, "--json"])
    verdict = "NONE"
    report = "NONE"
    if answer.getvalue():
        verdict = json.loads(answer.getvalue())["verdict"]
        report = "reports/latest.html"
    sys.stdout.write(f"verdict={verdict} code={code} report={report}\n")
    return code


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
