"""Measures `/health` of a `heal serve` that others read heavily; scripts/bench-readers.sh says what it asks of it."""

import asyncio
import http.client
import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ELEMENTS = int(os.environ.get("ELEMENTS", "6000"))
READERS = int(os.environ.get("READERS", "40"))
SECONDS_EACH = int(os.environ.get("SECONDS_EACH", "15"))
HEALTH_MS = 250
RATIO = 5
# A ratio of two times that are both short says nothing.
SHORT_MS = 10
RUN_SECONDS = 1_800
# All clients are one caller here, who may send 500 requests a second.
PAUSE_SECONDS = READERS / 400

PLAYBOOK = """\
timeout_seconds: 3600
triggers: [{incident_type: MANY}]
actions:
  - {name: each, type: check_worker_health, for_each: "{{ affected_tickets }}", max_parallel: 20, parameters: {worker_id: "{{ item }}"}}
"""
SMALL = ["/api/v1/me", "/api/v1/checks"]
# Each form of the run. A stream ends with the run's last event.
LARGE = ["/api/v1/runs/{run}", "/api/v1/runs/{run}/events", "/api/v1/runs/{run}/explanation", "/api/v1/remediation/{run}/status",
         "/runs/{run}", "/api/v1/runs/{run}/stream", "/api/v1/follow-ups?all=true", "/api/v1/guardrails"]


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path, body=body, headers={"content-type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def run_all(port):
    """The id of a run over all elements that has ended."""
    incident = {"incident_id": "many", "incident_type": "MANY", "affected_tickets": [f"worker-{n}" for n in range(ELEMENTS)]}
    status, text = ask(port, "POST", "/api/v1/incidents", json.dumps(incident))
    assert status == 202, text
    give_up = time.monotonic() + RUN_SECONDS
    while time.monotonic() < give_up:
        _, text = ask(port, "GET", "/api/v1/runs")
        runs = json.loads(text)["runs"]
        if runs and runs[0]["outcome"]:
            return runs[0]["run_id"]
        time.sleep(0.5)
    raise SystemExit(f"the run over {ELEMENTS} elements did not end within {RUN_SECONDS} s")


async def read(port, paths, number, counts):
    """One client: one connection for each answer, one answer after the other, each reader beginning elsewhere."""
    turn = number
    while True:
        path = paths[turn % len(paths)]
        turn += 1
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
            head = await reader.readline()
            size = len(head)
            while block := await reader.read(1 << 16):
                size += len(block)
            writer.close()
            counts[0] += b" 200 " in head
            counts[1] += b" 200 " not in head
            counts[2] += size
        except OSError:
            counts[1] += 1
        await asyncio.sleep(PAUSE_SECONDS)


def readers(port, paths, told):
    """A process of its own, so that reading takes no time from the one that measures."""
    async def all_readers():
        counts = [0, 0, 0]
        tasks = [asyncio.create_task(read(port, paths, number, counts)) for number in range(READERS)]
        while not told.poll():
            await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        told.send(counts)
    asyncio.run(all_readers())


def probe(port):
    """Milliseconds of each /health in the time of one part."""
    times = []
    end = time.monotonic() + SECONDS_EACH
    while time.monotonic() < end:
        begin = time.perf_counter()
        status, _ = ask(port, "GET", "/health")
        times.append((time.perf_counter() - begin) * 1_000)
        assert status == 200, status
        time.sleep(0.02)
    return sorted(times)


def crowded(port, paths):
    here, there = multiprocessing.Pipe()
    crowd = multiprocessing.Process(target=readers, args=(port, paths, there), daemon=True)
    crowd.start()
    time.sleep(1)
    times = probe(port)
    here.send("enough")
    counts = here.recv()
    crowd.join()
    return times, counts


def late(times):
    return times[max(int(len(times) * 0.99) - 1, 0)]


def show(name, times, counts=None):
    told = f", {counts[0]} answers of {counts[2] / 1e6:.0f} MB, {counts[1]} refused or broken" if counts else ""
    print(f"/health {name}: {statistics.median(times):.1f} ms (median), {late(times):.1f} ms (99th of 100){told}")


def measure(port):
    begin = time.monotonic()
    run = run_all(port)
    print(f"a run of {ELEMENTS} elements took {time.monotonic() - begin:.0f} s")
    quiet = probe(port)
    small, small_counts = crowded(port, SMALL)
    large, large_counts = crowded(port, [path.format(run=run) for path in LARGE])
    show("of a quiet server", quiet)
    show(f"beside {READERS} small readers", small, small_counts)
    show(f"beside {READERS} heavy readers", large, large_counts)
    ratio = late(large) / late(small)
    print(f"heavy to small: {statistics.median(large) / statistics.median(small):.1f} (median), {ratio:.1f} (99th of 100)")
    faults = []
    if late(large) > HEALTH_MS:
        faults.append(f"/health takes {late(large):.0f} ms, the bound is {HEALTH_MS} ms")
    if ratio > RATIO and late(large) > SHORT_MS:
        faults.append(f"/health takes {ratio:.1f} times as long as beside small readers, the bound is {RATIO}")
    if large_counts[0] == 0:
        faults.append("no heavy answer came")
    return faults


def main(heal):
    with tempfile.TemporaryDirectory() as folder:
        playbooks = pathlib.Path(folder, "playbooks")
        playbooks.mkdir()
        (playbooks / "many.yaml").write_text(PLAYBOOK)
        command = [heal, "serve", "--sandbox", "--state", f"{folder}/heal.db", "--playbooks", str(playbooks), "--listen", "127.0.0.1:0"]
        environment = {"PATH": os.environ["PATH"], "RUST_LOG": "error"}
        serve = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        try:
            port = int(serve.stdout.readline().strip().rsplit(":", 1)[1])
            faults = measure(port)
        finally:
            serve.terminate()
            serve.wait()
    print(f"build: {'optimised' if '/release/' in heal else 'debug'}")
    for fault in faults:
        print(f"FAILED: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
