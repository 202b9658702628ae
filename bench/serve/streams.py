#!/usr/bin/env python3
"""What a running server gains: N text streams at once beside one alone, in turn; and a second question on the same
video beside the first.

usage: streams.py VL3 --model DIR [--streams 8] [--rounds 3] [--tokens 64] [--video FILE ...] [-- more flags of vl3 serve]
Prints one JSON object. Rates count every generated token over the wall time of all streams, prefill in it; the
`decode` rates start at the first token of the last stream to begin.
"""
import argparse
import http.client
import json
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/serve"))
from server import Server, chat, data_url  # noqa: E402


def stream(address, body, times):
    """Appends the moment of every token's event to `times`, and returns the final usage."""
    connection = http.client.HTTPConnection(address, timeout=3600)
    connection.request("POST", "/v1/chat/completions",
                       json.dumps({**body, "stream": True, "stream_options": {"include_usage": True}, "logprobs": True}),
                       {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    usage = None
    for line in response:
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        assert "error" not in event, event
        usage = event.get("usage") or usage
        for choice in event["choices"]:
            times.extend([time.monotonic()] * len((choice.get("logprobs") or {}).get("content") or []))
    connection.close()
    return usage


def together(address, count, tokens, salt):
    """(tokens a second with the prefill, without it) of `count` streams at once."""
    bodies = [chat(f"{salt} {i}: " + "tell me more about it " * 4, max_tokens=tokens) for i in range(count)]
    times = [[] for _ in bodies]
    threads = [threading.Thread(target=stream, args=(address, body, out)) for body, out in zip(bodies, times)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [t for one in times for t in one]
    assert len(every) == count * tokens, (len(every), count * tokens)
    begun = max(one[0] for one in times)
    after = [t for t in every if t > begun]
    return len(every) / (max(every) - start), len(after) / (max(every) - begun)


def twice(address, video, tokens):
    """Seconds to the first token of two different questions about one video."""
    url, out = data_url(video, "video/mp4"), []
    for question in ("What happens in the video?", "Which colour is it?"):
        times, start = [], time.monotonic()
        usage = stream(address, chat(question, [url], max_tokens=tokens), times)
        out.append({"first_token_s": round(times[0] - start, 3), "prompt_tokens": usage["prompt_tokens"],
                    "cached_tokens": usage["prompt_tokens_details"]["cached_tokens"]})
    return {"first": out[0], "second": out[1], "ratio": round(out[1]["first_token_s"] / out[0]["first_token_s"], 4)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vl3")
    parser.add_argument("--model", required=True)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--video", nargs="*", default=[])
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, more = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1:]
    with Server(options.vl3, "--quiet", "--model", options.model, *more) as server:
        address = server.url.removeprefix("http://")
        together(address, 1, 4, "warm")
        rounds = []
        for i in range(options.rounds):
            one = together(address, 1, options.tokens, f"alone {i}")
            many = together(address, options.streams, options.tokens, f"together {i}")
            rounds.append({"one": round(one[0], 2), "many": round(many[0], 2), "ratio": round(many[0] / one[0], 2),
                           "one_decode": round(one[1], 2), "many_decode": round(many[1], 2),
                           "ratio_decode": round(many[1] / one[1], 2)})
        median = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]} if rounds else None
        videos = {Path(v).name: twice(address, v, 4) for v in options.video}
        print(json.dumps({"streams": options.streams, "tokens": options.tokens, "median": median, "rounds": rounds,
                          "videos": videos, "rss_mib": round(server.rss_kib() / 1024)}, indent=1))


main()
