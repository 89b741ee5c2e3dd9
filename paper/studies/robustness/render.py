"""The table of docs/robustness.md, from results/*.json: python -m paper.studies.robustness.render."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from paper.studies.robustness.frame import RESULTS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "robustness.md"
BEGIN, END = "<!-- table: paper/studies/robustness/render.py -->", "<!-- end of table -->"


def table() -> str:
    """One line per kind, a sum per area."""
    lines = ["| what was tried | tries | passed |", "|---|---|---|"]
    for path in sorted(RESULTS.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        lines.append(f"| **{record['area']}** | **{record['tried']:,}** | **{record['held']:,}** |")
        for kind, counts in record["kinds"].items():
            lines.append(f"| {kind} | {counts['tried']:,} | {counts['held']:,} |")
    return "\n".join(lines)


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {len(list(RESULTS.glob('*.json')))} areas\n")


if __name__ == "__main__":
    main()
