#!/usr/bin/env python3
"""Load on a running server: CLIENTS streams with mixed text, image and video questions, every answer compared with
the one the same request got alone.

usage: load.py VL3 [--clients 64] [--seconds 600] [--tokens 24] [-- more flags of vl3 serve, such as --model DIR]
Prints one JSON object: requests, mismatches, errors by status, tokens a second, latencies, memory over time.
"""
import argparse
import http.client
import json
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/serve"))
from server import IMAGE, VIDEO, Server, chat, data_url  # noqa: E402


def questions(tokens):
    image, video = data_url(IMAGE, "image/png"), data_url(VIDEO, "video/mp4")
    out = []
    for i in range(8):
        out.append(chat(f"Question {i}: " + "why is it so? " * (i * 6 + 1), max_tokens=tokens))
        out.append(chat(f"Picture question {i}", [image], max_tokens=tokens))
        out.append(chat(f"Video question {i}", [video], max_tokens=tokens, max_frames=1 + i % 4))
        out.append(chat(f"Both, question {i}", [image, video], max_tokens=tokens))
    return out


def stream(address, body):
    """(status, text, seconds to the first token, seconds)."""
    start = time.monotonic()
    connection = http.client.HTTPConnection(address, timeout=600)
    connection.request("POST", "/v1/chat/completions", json.dumps({**body, "stream": True}), {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        response.read()
        connection.close()
        return response.status, "", 0, 0
    text, first, whole = "", None, False
    for line in response:
        if line.startswith(b"data: [DONE]"):
            whole = True
        elif line.startswith(b"data: "):
            event = json.loads(line[6:])
            if "error" in event:
                break
            for choice in event["choices"]:
                piece = choice.get("delta", {}).get("content")
                if piece:
                    first = first or time.monotonic() - start
                    text += piece
    connection.close()
    return 200 if whole else 0, text, first or 0, time.monotonic() - start


def quantile(values, q):
    return round(sorted(values)[min(len(values) - 1, int(q * len(values)))], 4) if values else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vl3")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--tokens", type=int, default=24)
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, more = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1:]
    bodies = questions(options.tokens)
    with Server(options.vl3, "--quiet", *more) as server:
        address = server.url.removeprefix("http://")
        expected = []
        for body in bodies:
            status, text, *_ = stream(address, body)
            assert status == 200, status
            expected.append(text)
        lock = threading.Lock()
        statuses, mismatches, firsts, totals, memory = {}, 0, [], [], []
        end = time.monotonic() + options.seconds

        def client(seed):
            nonlocal mismatches
            rng = random.Random(seed)
            while time.monotonic() < end:
                which = rng.randrange(len(bodies))
                try:
                    status, text, first, total = stream(address, bodies[which])
                except OSError as error:
                    status, text, first, total = type(error).__name__, "", 0, 0
                with lock:
                    statuses[status] = statuses.get(status, 0) + 1
                    if status == 200:
                        mismatches += text != expected[which]
                        firsts.append(first)
                        totals.append(total)

        threads = [threading.Thread(target=client, args=(i,)) for i in range(options.clients)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            memory.append(round(server.rss_kib() / 1024))
            time.sleep(max(1, options.seconds / 60))
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - start
        quarter = max(1, len(memory) // 4)
        print(json.dumps({
            "clients": options.clients, "seconds": round(seconds, 1), "statuses": {str(k): v for k, v in statuses.items()},
            "mismatches": mismatches, "requests_per_s": round(len(totals) / seconds, 2),
            "tokens_per_s": round(len(totals) * options.tokens / seconds, 1),
            "first_token_s": {"p50": quantile(firsts, .5), "p95": quantile(firsts, .95)},
            "total_s": {"p50": quantile(totals, .5), "p95": quantile(totals, .95)},
            "rss_mib": {"first_quarter_max": max(memory[:quarter]), "last_quarter_max": max(memory[-quarter:]), "all": memory},
            "preemptions": server.metric("num_preemptions_total"), "prefix_hits": server.metric("prefix_cache_hits_total"),
        }))
        return 1 if mismatches or set(statuses) - {200, 429, 503} else 0


sys.exit(main())
