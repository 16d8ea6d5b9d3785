"""How much of the speed of `muybridge predict FOLDER` a server keeps, and how soon it answers /health meanwhile.

    python -m benchmarks.serving runs/default-1 my_clips --clients 16 --clips-sent 400

In one run and in turns: the clips of a folder through `muybridge.predict`, from the first clip on (without the start of
the command, which favours it), and the same clips by so many clients at once, each a connection that sends one clip
after the other, while another process asks for /health twenty times a second. Clients and server share the machine.
"""

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BOUNDARY = "clip-of-the-benchmark"
HEALTH_EVERY_SECONDS = 0.05


def form_of(path: Path) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
    return head.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    assert parts.hostname is not None
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)


def send_all(url: str, paths: Sequence[Path], clients: int) -> float:
    """Seconds for all clips, sent by so many clients."""
    upcoming = iter(paths)
    lock = threading.Lock()
    problems: list[str] = []

    def work() -> None:
        connection = connect(url)
        while True:
            with lock:
                path = next(upcoming, None)
            if path is None:
                return
            headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            connection.request("POST", "/predict?top=1", form_of(path), headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                problems.append(f"{answer.status} {text[:200]!r}")

    threads = [threading.Thread(target=work) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise SystemExit(f"{len(problems)} answers were none, such as {problems[0]}")
    return time.perf_counter() - began


def ask_health(url: str, seconds: float) -> list[float]:
    """How long each of many requests took; the next is sent at its time, or at once where the last was late."""
    connection, times = connect(url), []
    began = time.perf_counter()
    for number in range(int(seconds / HEALTH_EVERY_SECONDS)):
        due = began + number * HEALTH_EVERY_SECONDS
        time.sleep(max(0.0, due - time.perf_counter()))
        if time.perf_counter() - began > seconds:
            break
        sent = time.perf_counter()
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        times.append(time.perf_counter() - sent)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--clips-sent", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--part", choices=["send", "health", "predict"], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=3600, help=argparse.SUPPRESS)
    given = parser.parse_args()
    files = sorted(path for path in given.clips.rglob("*") if path.suffix in (".avi", ".mp4", ".mkv", ".webm"))
    paths = list(islice(cycle(files), given.clips_sent))
    if given.part == "send":
        print(json.dumps(send_all(given.url, paths, given.clients)))
    elif given.part == "health":
        print(json.dumps(ask_health(given.url, given.seconds)))
    elif given.part == "predict":
        predict(given.run, paths, given.engine)
    else:
        compare(given)


def predict(run: Path, paths: Sequence[Path], engine: str) -> None:
    """Of each line that comes, the seconds for all clips, as `muybridge predict` does them."""
    from muybridge.inference.loading import load

    model = load(run, engine=engine)
    list(model.predict_files(paths[:16]))
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        assert sum(prediction.error is None for prediction in model.predict_files(paths)) == len(paths)
        print(json.dumps(time.perf_counter() - began), flush=True)


def processor_seconds(process: int) -> float:
    """What a process and its children have used of the processor (Linux)."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(stat.parent.name) == process or int(fields[1]) == process:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def part(given: argparse.Namespace, name: str, **more: Any) -> list[str]:
    options = {"clients": given.clients, "clips-sent": given.clips_sent, "engine": given.engine, **more}
    flags = [text for key, value in options.items() for text in (f"--{key}", str(value))]
    return [sys.executable, "-m", "benchmarks.serving", str(given.run), str(given.clips), "--part", name, *flags]


def compare(given: argparse.Namespace) -> None:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True}
    baseline = subprocess.Popen(part(given, "predict"), stdin=subprocess.PIPE, **pipes)
    command = [sys.executable, "-m", "muybridge", "serve", str(given.run), "--port", "0", "--engine", given.engine]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert baseline.stdin and baseline.stdout and server.stderr
    try:
        line = ""
        while not (found := re.search(r"serving at (\S+?)/ ", line)):
            line = server.stderr.readline()
            if not line:
                raise SystemExit("the server ended")
        url = found[1]
        baseline.stdout.readline()
        time.sleep(3)
        subprocess.run(part(given, "send", url=url), check=True, capture_output=True)
        folder, served, health = [], [], []
        began = [processor_seconds(each.pid) for each in (baseline, server)]
        for number in range(1, given.rounds + 1):
            baseline.stdin.write("again\n")
            baseline.stdin.flush()
            folder.append(given.clips_sent / json.loads(baseline.stdout.readline()))
            asking = subprocess.Popen(
                part(given, "health", url=url, seconds=0.9 * given.clips_sent / folder[-1]), **pipes
            )
            sent = subprocess.run(part(given, "send", url=url), check=True, **pipes)
            served.append(given.clips_sent / json.loads(sent.stdout))
            health += json.loads(asking.communicate()[0])
            print(f"round {number}: folder {folder[-1]:.1f} clips/s, server {served[-1]:.1f}", flush=True)
        cost = [
            1000 * (processor_seconds(each.pid) - before) / (given.rounds * given.clips_sent)
            for each, before in zip((baseline, server), began, strict=True)
        ]
        share = statistics.median(each / other for each, other in zip(served, folder, strict=True))
        health.sort()
        p50, p99 = (1000 * health[int(share_of * len(health))] for share_of in (0.5, 0.99))
        print(
            f"{given.clients} clients: {statistics.median(served):.1f} clips/s, folder "
            f"{statistics.median(folder):.1f}; median of {len(served)} rounds {100 * share:.0f} %"
        )
        print(f"processor time a clip: folder {cost[0]:.0f} ms, server {cost[1]:.0f} ms, without its clients")
        print(f"/health: p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {1000 * health[-1]:.0f} ms, {len(health)} asked")
    finally:
        baseline.kill()
        server.terminate()
        server.wait(60)


if __name__ == "__main__":
    main()
