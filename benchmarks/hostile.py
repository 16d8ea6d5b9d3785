"""Hostile requests to a server: what it answers, what its memory does, and what files it leaves.

    python -m benchmarks.hostile runs/default-1 --requests 2000 --videos 500

Schemathesis (extra `benchmarks`) makes requests from the server's own OpenAPI description, valid and not; then come
videos that are damaged by chance, as clips and as timelines. Memory is that of the server without the processes that
decode; it is taken after a first round of each, and at the end.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
from tests.helpers.mutated_videos import KINDS, make_seed, mutated
from tests.helpers.servers import RunningServer, running_server


def schemathesis(server: RunningServer, examples: int, seed: int) -> int:
    """Run it; the number of requests that it sent."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{server.url}/openapi.json",
        "--checks=not_a_server_error,response_headers_conformance,content_type_conformance,response_schema_conformance",
        "--phases=examples,coverage,fuzzing",
        "--mode=all",
        f"--max-examples={examples}",
        f"--seed={seed}",
        "--request-timeout=30",
        "--suppress-health-check=all",
        "--no-color",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout[-6000:] if done.returncode else done.stdout[-600:])
    found = re.search(r"(\d+) generated", done.stdout)
    return int(found[1]) if found else 0


def send_videos(server: RunningServer, seeds: dict[str, bytes], first: int, count: int) -> Counter[str]:
    """Send damaged videos; how they were answered."""
    answers: Counter[str] = Counter()
    with server.client() as client:
        for number in range(first, first + count):
            kind, _, data = mutated(seeds, number)
            files = {"files": (kind, data)}
            answer = client.post("/predict", files=files)
            answers[f"predict {answer.status_code}"] += 1
            if number % 5 == 0:
                begun = client.post("/timeline", files={"file": (kind, data)})
                answers[f"timeline {begun.status_code}"] += 1
                state = begun.json()
                while state["status"] in ("queued", "running"):
                    time.sleep(0.05)
                    state = client.get(f"/timeline/{state['id']}").json()
                answers[f"timeline {state['status']}"] += 1
                client.delete(f"/timeline/{state['id']}")
    return answers


def statuses(server: RunningServer) -> Counter[str]:
    """How all requests so far were answered, as the server counts."""
    found: Counter[str] = Counter()
    with server.client() as client:
        for line in client.get("/metrics").text.splitlines():
            if match := re.match(r'muybridge_requests_total{.*status="(\d+)"} (\S+)', line):
                found[match[1]] += int(float(match[2]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_server(Path(name) / "server", given.run) as server:
        seeds = {}
        for kind in KINDS:
            make_seed(Path(name) / kind, kind)
            seeds[kind] = (Path(name) / kind).read_bytes()
        schemathesis(server, 5, given.seed)
        send_videos(server, seeds, 0, len(KINDS))
        before = server.memory_mb
        print(f"memory after a first round: {before:.0f} MB", flush=True)
        sent, seed = 0, given.seed
        while sent < given.requests:
            seed += 1
            more = schemathesis(server, 50, seed)
            if not more:
                raise SystemExit("schemathesis sent nothing")
            sent += more
            print(f"{sent} requests, memory {server.memory_mb:.0f} MB, {dict(statuses(server))}", flush=True)
        print(dict(send_videos(server, seeds, len(KINDS), given.videos)))
        with httpx.Client(base_url=server.url) as client:
            assert client.get("/health").status_code == 200
        time.sleep(2)
        found = statuses(server)
        bad = {status: count for status, count in found.items() if status.startswith("5") and status != "503"}
        print(f"answers {dict(found)}; 5xx but 503: {bad or 'none'}; memory {before:.0f} -> {server.memory_mb:.0f} MB")
        print(f"files of jobs that are kept: {len(server.temporary_files)}")
        code = server.stop()
        left = list((Path(name) / "server").iterdir())
        print(f"ended with {code}; files left: {len(left)}; said: {server.said[-2000:]}")


if __name__ == "__main__":
    main()
