"""Sixteen clients for a minute against an index of 100,000 documents -> serve_load.json

    serve_load.py --vectors V.npy --work DIR [--seconds 60]

V.npy has vectors of the shipped explainer's encoder (see index_million.py); documents are ids with made-up words, for
what is measured is the server. Clients ask different queries by text, with explanations. Then what should not hurt:
far more clients at once than are let in, clients that leave before they are answered, and SIGTERM while some wait.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

import xetrieval
from xetrieval.index import Corpus, build_index

ROWS = 100_000
URL = "http://127.0.0.1:8377"
WORDS = ("read", "write", "file", "thread", "list", "sort", "parse", "date", "time", "string", "number", "error")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    folder = indexed(given)
    call = [sys.executable, "-m", "xetrieval", "serve", str(folder), "--port", "8377", "--quiet"]
    server = subprocess.Popen(call)
    try:
        asyncio.run(ready())
        record: dict[str, Any] = {
            "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}; clients on the same one",
            "documents": ROWS,
        }
        record["load"] = asyncio.run(load(16, given.seconds, server.pid))
        record["overload"] = asyncio.run(overload(200))
        record["clients_that_leave"] = asyncio.run(leaving(40))
        record["after"] = asyncio.run(load(4, 5, server.pid))
        record["sigterm"] = asyncio.run(ending(server))
    finally:
        server.kill()
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


def indexed(given: argparse.Namespace) -> Path:
    folder = Path(given.work) / "load"
    shutil.rmtree(folder, ignore_errors=True)
    given.work.mkdir(parents=True, exist_ok=True)
    np.save(given.work / "load.npy", np.array(np.load(given.vectors, mmap_mode="r")[:ROWS], np.float32))
    rng = random.Random(0)
    with (given.work / "load.jsonl").open("w") as file:
        for row in range(ROWS):
            file.write(json.dumps({"_id": f"d{row}", "text": " ".join(rng.choices(WORDS, k=30))}) + "\n")
    corpus = Corpus((given.work / "load.jsonl",), vectors=given.work / "load.npy")
    build_index(corpus, xetrieval.load("minilm"), folder, xetrieval.BuildConfig(dictionary="shipped"))
    return folder


def query(rng: random.Random) -> dict[str, Any]:
    return {"query": " ".join(rng.choices(WORDS, k=6)), "k": 10, "explain": True}


async def ready() -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(600):
            try:
                await client.get(f"{URL}/v1/health")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    sys.exit("the server did not come up")


async def load(clients: int, seconds: float, pid: int) -> dict[str, Any]:
    took: list[float] = []
    statuses: dict[int, int] = {}
    memory: list[int] = []
    end = time.perf_counter() + seconds

    async def one(number: int) -> None:
        rng = random.Random(number)
        async with httpx.AsyncClient(timeout=60) as client:
            while time.perf_counter() < end:
                started = time.perf_counter()
                answer = await client.post(f"{URL}/v1/search", json=query(rng))
                took.append(time.perf_counter() - started)
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1

    async def watch() -> None:
        while time.perf_counter() < end:
            memory.append(resident(pid))
            await asyncio.sleep(1)

    await asyncio.gather(watch(), *(one(number) for number in range(clients)))
    ms = 1000 * np.array(took)
    return {
        "clients": clients,
        "seconds": seconds,
        "requests": len(took),
        "per_second": round(len(took) / seconds, 1),
        "p50_ms": round(float(np.quantile(ms, 0.5)), 1),
        "p99_ms": round(float(np.quantile(ms, 0.99)), 1),
        "statuses": statuses,
        "resident_mib": {"after_a_tenth": memory[len(memory) // 10], "at_the_end": memory[-1]},
    }


async def overload(clients: int) -> dict[str, Any]:
    """All at once: requests over the limit are refused quickly."""
    rng = random.Random(1)

    async def one(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[int, float]:
        started = time.perf_counter()
        answer = await client.post(f"{URL}/v1/search", json=body)
        return answer.status_code, time.perf_counter() - started

    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        answers = await asyncio.gather(*(one(client, query(rng)) for _ in range(clients)))
    refused = [seconds for status, seconds in answers if status == 503]
    return {
        "at_once": clients,
        "answered": sum(status == 200 for status, _ in answers),
        "refused_503": len(refused),
        "other": sum(status not in (200, 503) for status, _ in answers),
        "refused_after_ms_median": round(1000 * float(np.median(refused)), 1) if refused else None,
    }


async def leaving(clients: int) -> dict[str, Any]:
    """Clients that hang up after 5 ms; then how soon an honest one is served."""
    rng = random.Random(2)

    async def one() -> None:
        try:
            async with httpx.AsyncClient(timeout=0.005) as client:
                await client.post(f"{URL}/v1/search", json=query(rng))
        except httpx.TransportError:
            pass

    await asyncio.gather(*(one() for _ in range(clients)))
    started = time.perf_counter()
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"{URL}/v1/search", json=query(rng))
    return {
        "left": clients,
        "next_status": answer.status_code,
        "next_ms": round(1000 * (time.perf_counter() - started), 1),
    }


async def ending(server: subprocess.Popen[bytes]) -> dict[str, Any]:
    """SIGTERM with eight requests on their way: they are answered."""
    rng = random.Random(3)
    async with httpx.AsyncClient(timeout=60) as client:
        asked = [asyncio.create_task(client.post(f"{URL}/v1/search", json=query(rng))) for _ in range(8)]
        await asyncio.sleep(0.02)
        server.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*asked, return_exceptions=True)
    started = time.perf_counter()
    code = await asyncio.to_thread(server.wait, 30)
    return {
        "on_their_way": 8,
        "answered": sum(getattr(answer, "status_code", 0) == 200 for answer in answers),
        "exit_code": code,
        "seconds_to_exit": round(time.perf_counter() - started, 2),
    }


def resident(pid: int) -> int:
    """MiB of the server."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) >> 10


if __name__ == "__main__":
    main()
