"""Elasticsearch: an index as bulk requests, with the mapping and the queries. OpenSearch: the same with opensearch://.

pip install "xetrieval[minilm,index]"
python examples/connect/export_to_elasticsearch.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import xetrieval
from xetrieval.connect import write_index

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        lines = [json.dumps({"_id": name, "text": text}) for name, text in TEXTS.items()]
        (place / "corpus.jsonl").write_text("\n".join(lines))
        xetrieval.build_index(xetrieval.Corpus((place / "corpus.jsonl",)), xetrieval.load("minilm"), place / "index")
        index = xetrieval.open_index(place / "index")
        write_index(index, f"elasticsearch://{place}/export#animals")
        print((place / "export" / "README.md").read_text())
        for line in (place / "export" / "bulk-0001.ndjson").read_text().splitlines()[1::2]:
            document = json.loads(line)
            print(document["id"], document["xetrieval_names"])
        print(index.search("how long do dogs sleep", 1)[0].explanation)


if __name__ == "__main__":
    main()
