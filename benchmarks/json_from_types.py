"""JSON made from the types, three ways -> benchmarks/json_from_types.json

The explanation of one pair by the shipped explainer, with evidence, to JSON text: by `xetrieval.records`, by a pydantic
TypeAdapter and by msgspec, where they are installed. pydantic writes faster, but it is not a dependency of the library,
and both lack what the last column names: the wrappers for it would be longer than `records`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import xetrieval
from xetrieval import records

RUNS = 200


def microseconds(make: Callable[[], Any]) -> float:
    """The best of five means over RUNS calls."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(RUNS):
            make()
        best = min(best, (time.perf_counter() - start) / RUNS)
    return round(1e6 * best, 1)


def main() -> None:
    """Measure, and write the file."""
    explainer = xetrieval.load("minilm", cache=False)
    made = explainer.explain("how do vaccines work", "Vaccines train the immune system to recognise a virus.")
    made = explainer.with_evidence(made)
    source = Path(records.__file__).read_text().splitlines()
    code = [line for line in source if line.strip() and not line.strip().startswith(("#", '"""'))]
    found: dict[str, Any] = {
        "characters": len(json.dumps(made.to_dict())),
        "records": {"microseconds": microseconds(lambda: json.dumps(records.record_of(made))), "lines": len(code)},
    }
    if find_spec("pydantic"):
        from pydantic import TypeAdapter

        adapter = TypeAdapter(type(made))
        found["pydantic"] = {
            "microseconds": microseconds(lambda: adapter.dump_json(made)),
            "missing": "keys of named tuples, properties, fields left out while empty",
        }
    if find_spec("msgspec"):
        import msgspec

        found["msgspec"] = {
            "microseconds": microseconds(lambda: msgspec.json.encode(made)),
            "missing": "keys of named tuples, properties, fields left out while empty",
        }
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
