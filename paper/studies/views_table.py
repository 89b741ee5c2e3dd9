"""results/retrieval_views.json as Markdown: one line per system, averaged over sets without teacher texts."""

from __future__ import annotations

import argparse
import json
from typing import Any

from paper.studies.minilm import RESULTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", action="store_true", help="a line a set instead, of one system")
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--teacher", default="written, 720 posts")
    given = parser.parse_args()
    records = json.loads((RESULTS / "retrieval_views.json").read_text())
    print(by_set(records, given.encoder, given.teacher) if given.sets else by_system(records))


def weights(record: dict[str, Any]) -> str:
    """The weights of the views."""
    return "learned" if isinstance(record["weights"], list) else "sum"


def by_system(records: list[dict[str, Any]]) -> str:
    """Mean change, and on how many sets it was significant (p < 0.05), up and down."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for r in records:
        if r["system"] != "none" and not r["teacher_seen"] and "documents" not in r:
            groups.setdefault((r["encoder"], r["teacher"], r["form"], weights(r)), []).append(r)
    lines = [
        "| encoder | teacher | form | weights | sets | mean change | significant gains / losses |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, found in groups.items():
        mean = sum(r["delta"] for r in found) / len(found)
        up, down = (sum(r["p_value"] < 0.05 and sign * r["delta"] > 0 for r in found) for sign in (1, -1))
        lines.append(f"| {' | '.join(key)} | {len(found)} | {mean:+.2f} | {up} / {down} |")
    return "\n".join(lines)


def by_set(records: list[dict[str, Any]], encoder: str, teacher: str) -> str:
    """NDCG@10 and changes of one teacher's views on every set."""
    mine = [r for r in records if r["encoder"] == encoder and "documents" not in r]
    sets = list(dict.fromkeys(r["dataset"] for r in mine))
    lines = [
        "| set | queries | encoder alone | paper's form, sum | residual, sum | residual, learned weights |",
        "|---|---|---|---|---|---|",
    ]
    for name in sets:
        of_set = [r for r in mine if r["dataset"] == name]
        alone = next(r for r in of_set if r["system"] == "none")
        cells = [
            next((cell(r) for r in of_set if (r["teacher"], r["form"]) == (teacher, form) and weights(r) == how), "")
            for form, how in (("paper", "sum"), ("residual", "sum"), ("residual", "learned"))
        ]
        star = " (seen)" if alone["teacher_seen"] else ""
        lines.append(f"| {name}{star} | {alone['queries']} | {alone['ndcg10']:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(record: dict[str, Any]) -> str:
    """The change, bold where it is significant."""
    mark = "**" if record["p_value"] < 0.05 else ""
    return f"{mark}{record['delta']:+.2f}{mark} ({record['ci_low']:+.2f} to {record['ci_high']:+.2f})"


if __name__ == "__main__":
    main()
