"""LlamaIndex: a postprocessor says why each node was retrieved, and stays out of prompts.

pip install "xetrieval[minilm,llama-index]"
python examples/connect/explain_llama_index.py
"""

from __future__ import annotations

from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from xetrieval.connect.llama_index import ExplainNodes

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"


def main() -> None:
    nodes = [NodeWithScore(node=TextNode(id_=name, text=text)) for name, text in TEXTS.items()]  # from your retriever
    for one in ExplainNodes(explainer="minilm").postprocess_nodes(nodes, QueryBundle(QUERY)):
        explained = one.node.metadata["xetrieval"]
        print(one.node.node_id, round(explained["score"], 4))
        for feature in explained["features"]:
            print("   ", feature["name"], round(feature["share"], 4))
        print("    remainder (not explained)", round(explained["remainder"], 4))


if __name__ == "__main__":
    main()
