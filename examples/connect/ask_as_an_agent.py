"""What an agent sees: start `xetrieval mcp` as a process, list its tools, and ask why a document was found.

pip install "xetrieval[minilm,mcp]"
python examples/connect/ask_as_an_agent.py
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from mcp import Client, StdioServerParameters, stdio_client

import xetrieval

TEXTS = {"sleep": "Cats sleep most of the day.", "walks": "Dogs need a walk, and a long sleep after it."}


async def ask(index: Path) -> None:
    arguments = ["-m", "xetrieval", "mcp", str(index)]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with Client(stdio_client(server)) as client:
        print([tool.name for tool in (await client.list_tools()).tools])
        answer = await client.call_tool("explain", {"query": "how long do dogs sleep", "doc_id": "walks"})
        found = answer.structured_content
        print(found["score"], [(term["label"], term["share"]) for term in found["terms"]])
        print("remainder (not explained)", found["remainder"])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.jsonl"
        corpus.write_text("".join(json.dumps({"_id": name, "text": text}) + "\n" for name, text in TEXTS.items()))
        xetrieval.build_index(xetrieval.Corpus((corpus,)), xetrieval.load("minilm"), Path(folder) / "index")
        asyncio.run(ask(Path(folder) / "index"))


if __name__ == "__main__":
    main()
