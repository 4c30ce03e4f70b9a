"""Measures a `heal serve` whose doors are crowded; scripts/bench-doors.sh says what it asks of it."""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

IDLE = 5_000
SLOW = 500
# The server allows 2,048 connections of one peer; every address of 127.0.0.0/8 is a peer of its own.
PER_PEER = 1_500
DESCRIPTORS = 16_384
PROBES = 200
HEALTH_MS = 100
MEMORY_MIB = 100
PAGE_MS = 20
PAGE_PROBES = 30
PAGES = ["/", "/runs", "/incidents/new", "/playbooks", "/playbooks/worker_failure_recovery", "/checks", "/guardrails", "/dead-letters"]


def anonymous_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        [line] = [line for line in status if line.startswith("RssAnon:")]
    return int(line.split()[1]) / 1_024


async def first_byte_ms(port, path):
    """From the beginning of the connection to the first byte of the answer."""
    begin = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    head = await reader.readline()
    took = (time.perf_counter() - begin) * 1_000
    await reader.read()
    writer.close()
    assert b" 200 " in head, (path, head)
    return took


async def connect(port, number):
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.0.{2 + number // PER_PEER}", 0))


async def trickle(writer):
    """A head that never ends, one byte after the other, until the server closes the connection."""
    try:
        writer.write(b"GET /health HTTP/1.1\r\nx: ")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(1)
    except OSError:
        pass


async def measure(port, pid):
    pages = {page: [await first_byte_ms(port, page) for _ in range(PAGE_PROBES)] for page in PAGES}
    quiet = anonymous_mib(pid)
    crowd = [await connect(port, number) for number in range(IDLE + SLOW)]
    slow = [asyncio.create_task(trickle(writer)) for _, writer in crowd[IDLE:]]
    health, memory = [], []
    for _ in range(PROBES):
        health.append(await first_byte_ms(port, "/health"))
        memory.append(anonymous_mib(pid))
        await asyncio.sleep(0.02)
    still_open = sum(not reader.at_eof() for reader, _ in crowd)
    for task in slow:
        task.cancel()
    for _, writer in crowd:
        writer.transport.abort()
    return pages, quiet, sorted(health), max(memory), still_open


def main(heal):
    optimised = "/release/" in heal
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, DESCRIPTORS), hard))
    with tempfile.TemporaryDirectory() as folder:
        command = [heal, "serve", "--sandbox", "--state", f"{folder}/heal.db", "--playbooks", "playbooks", "--listen", "127.0.0.1:0"]
        environment = {"PATH": os.environ["PATH"], "RUST_LOG": "error"}
        serve = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        try:
            port = int(serve.stdout.readline().strip().rsplit(":", 1)[1])
            pages, quiet, health, memory, still_open = asyncio.run(measure(port, serve.pid))
        finally:
            serve.terminate()
            serve.wait()
    print(f"build: {'optimised' if optimised else 'debug, so the times of pages have no bound'}")
    faults = []
    for page, times in pages.items():
        median = statistics.median(times)
        print(f"first byte of {page}: {median:.1f} ms (median of {PAGE_PROBES}), {max(times):.1f} ms at most")
        if optimised and median > PAGE_MS:
            faults.append(f"{page} takes {median:.1f} ms to its first byte, the bound is {PAGE_MS} ms")
    late = health[int(len(health) * 0.99) - 1]
    print(f"/health with {still_open} idle or slow connections: {statistics.median(health):.1f} ms (median), {late:.1f} ms (99th of 100)")
    print(f"anonymous memory: {quiet:.0f} MiB before, {memory:.0f} MiB at most, with the stand-in services in the same process")
    if still_open < IDLE:
        faults.append(f"only {still_open} connections were open at the end, {IDLE} are needed: raise the limit of open files")
    if late > HEALTH_MS:
        faults.append(f"/health takes {late:.1f} ms, the bound is {HEALTH_MS} ms")
    if memory > MEMORY_MIB:
        faults.append(f"the process has {memory:.0f} MiB of anonymous memory, the bound is {MEMORY_MIB} MiB")
    for fault in faults:
        print(f"FAILED: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
