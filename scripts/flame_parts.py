"""Prints which part of `heal serve` the samples of a profile belong to, as a table in Markdown.

Reads folded stacks (frames from the outermost to the innermost, separated by `;`, then a blank and the number of samples) from standard input.
A sample belongs to the part of its innermost frame that has one; one in the kernel to what called it.
"""

import collections
import re
import sys

# Of one frame, the first that matches. A program's own frames come last: what they call on the way is a part of its own.
PARTS = [
    ("SQLite", r"sqlite3|rusqlite|\bpager|\bbtree[A-Z]|\bwal[A-Z]|pcache|unix(Read|Write|Sync|Lock|Shm)"),
    ("Zstandard", r"ZSTD|zstd|HUF_|FSE_"),
    ("the policy", r"regorus"),
    ("HTTP: server, client, connections", r"hyper|reqwest|axum|tower|httparse|http::|\burl::|matchit|mio::net|rustls"),
    ("traces, logs, metrics", r"tracing|opentelemetry|heal_telemetry"),
    ("secrets: names and shapes", r"heal_engine::secret"),
    ("templates", r"minijinja"),
    ("JSON", r"serde|json"),
    ("the engine: state machine", r"heal_engine"),
    ("the guard", r"heal_guard"),
    ("the drivers: dispatcher, attempts", r"heal_runtime"),
    ("the store, beside SQLite", r"heal_embedded"),
    ("clients and actions", r"heal_"),
    ("tasks and threads", r"tokio|futures|mio|std::sync|pthread"),
]
KERNEL = re.compile(r"SYSCALL|syscall|asm_|irqentry|ret_from_fork")


def main() -> None:
    parts = [(name, re.compile(pattern)) for name, pattern in PARTS]
    own: collections.Counter[str] = collections.Counter()
    kernel: collections.Counter[str] = collections.Counter()
    for line in sys.stdin:
        stack, _, count = line.rstrip().rpartition(" ")
        frames = stack.split(";")
        samples = int(count)
        part = next((name for frame in reversed(frames) for name, pattern in parts if pattern.search(frame)), "the rest")
        is_kernel = any(KERNEL.search(frame) for frame in frames)
        (kernel if is_kernel else own)[part] += samples
    everything = sum(own.values()) + sum(kernel.values())
    if not everything:
        sys.exit("no samples: expected folded stacks on standard input")
    print("| part | share | of it in the kernel |\n|---|---|---|")
    for part, samples in (own + kernel).most_common():
        print(f"| {part} | {samples / everything:.1%} | {kernel[part] / everything:.1%} |")


if __name__ == "__main__":
    main()
