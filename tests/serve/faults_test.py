"""What clients and media can do wrong, against a running server: each is survived. usage: faults_test.py VL3"""
import base64
import http.server
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from server import IMAGE, VIDEO, Server, chat, data_url

IMAGE_URL, VIDEO_URL = data_url(IMAGE, "image/png"), data_url(VIDEO, "video/mp4")


def connect(server):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def healthy(server):
    status, answer = server.request("/v1/chat/completions", chat("still there?"))
    assert status == 200, answer
    return answer["choices"][0]["message"]["content"]


def post_bytes(body):
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def clients_vanish(server):
    body = json.dumps(chat("go on", max_tokens=20000, stream=True)).encode()
    for i in range(40):
        with connect(server) as client:
            client.sendall(post_bytes(body)[: len(post_bytes(body)) if i % 2 else 60 + i])
            if i % 4 == 1:
                client.recv(100)
    for _ in range(200):
        if server.metric("num_requests_running") + server.metric("num_requests_waiting") == 0:
            return "40 gone, none left running"
        time.sleep(0.1)
    raise AssertionError("requests of clients that went away still run")


def slow_readers(server):
    clients = []
    for _ in range(8):
        client = connect(server)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(post_bytes(json.dumps(chat("go on", max_tokens=3000, stream=True)).encode()))
        clients.append(client)
    healthy(server)
    for client in clients:
        client.close()
    return "8 that read nothing"


def idle_connections(server, count=10_000):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = min(count + 200, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    count = min(count, soft - 200)
    before = server.rss_kib()
    clients = [connect(server) for _ in range(count)]
    healthy(server)
    grown = server.rss_kib() - before
    threads = len(os.listdir(f"/proc/{server.process.pid}/task"))
    assert threads < 100, threads
    for client in clients:
        client.close()
    return f"{count} idle connections, {grown} KiB, {threads} threads"


def malformed(server):
    rng = random.Random(1)
    valid = post_bytes(b'{"messages":[{"role":"user","content":"x"}],"max_tokens":2}')
    for _ in range(300):
        broken = bytearray(valid)
        for _ in range(rng.randint(1, 8)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        with connect(server) as client:
            client.settimeout(0.2)
            client.sendall(bytes(broken))
            try:
                client.recv(1000)
            except (TimeoutError, ConnectionError):
                pass
    for body in (b"", b"null", b"[1]", b'{"messages":', b'{"messages":[{"role":"user","content":[' + b"[" * 5000, b"\xff\xfe", b'{"a":' * 300):
        with connect(server) as client:
            client.sendall(post_bytes(body))
            assert b" 400 " in client.recv(4000)[:40], body[:40]
    return "300 mutated requests, 7 broken bodies"


def poisoned_media(server):
    rng = random.Random(2)
    video = bytearray(Path(VIDEO).read_bytes())
    statuses = {}
    for i in range(24):
        broken = bytearray(video)
        for _ in range(rng.choice([1, 10, 200])):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        if i % 3 == 0:
            broken = broken[: rng.randrange(len(broken))]
        url = "data:video/mp4;base64," + base64.b64encode(bytes(broken)).decode()
        status, _ = server.request("/v1/chat/completions", chat("what?", [url], max_tokens=2))
        statuses[status] = statuses.get(status, 0) + 1
        assert status in (200, 400, 413, 422), status
    return f"statuses {statuses}"


def worker_killed(server):
    killed = 0
    for _ in range(5):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(server.request("/v1/chat/completions", chat("what?", [VIDEO_URL], max_tokens=2, cache_salt=str(killed), max_frames=3))))
        helpers = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True).stdout.split()
        thread.start()
        time.sleep(0.01)
        for helper in helpers:
            children = subprocess.run(["pgrep", "-P", helper], capture_output=True, text=True).stdout.split()
            for process in [*children, helper]:
                try:
                    os.kill(int(process), signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass  # it had done its work
        thread.join()
        assert answers[0][0] in (200, 422), answers
        status, answer = server.request("/v1/chat/completions", chat("what?", [VIDEO_URL], max_tokens=2))
        assert status == 200, (answer, "".join(server.log[-12:]))
    return f"{killed} processes killed"


class BadSite(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hang":
            time.sleep(60)
        self.send_response(302)
        self.send_header("Location", {"/inward": "http://127.0.0.1:1/", "/metadata": "http://169.254.169.254/"}.get(self.path, "/loop"))
        self.end_headers()

    def log_message(self, *_):
        pass


def bad_media_servers(vl3):
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), BadSite)
    site.daemon_threads = True
    threading.Thread(target=site.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{site.server_address[1]}"
    with Server(vl3, "--allowed-media-domains", "*", "--media-timeout", "2", "--quiet") as server:
        statuses = []
        for url in [f"{base}/hang", f"{base}/inward", f"{base}/metadata", base.replace("127.0.0.1", "localhost") + "/loop", "http://[::1]/", "http://169.254.169.254/x"]:
            body = chat("x")
            body["messages"][0]["content"].insert(0, {"type": "image_url", "image_url": {"url": url}})
            status, answer = server.request("/v1/chat/completions", body)
            assert status in (400, 413), (url, status, answer)
            statuses.append(status)
        healthy(server)
    site.shutdown()
    return f"6 URLs refused: {statuses}"


def full_disk(vl3):
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], capture_output=True).returncode == 0
        if not mounted:
            return "not run: no right to mount a small disk"
        try:
            with Server(vl3, "--vision-cache-dir", folder, "--quiet") as server:
                for i in range(3):
                    status, answer = server.request("/v1/chat/completions", chat("x", [IMAGE_URL, VIDEO_URL], max_tokens=2, max_frames=4 - i))
                    assert status == 200, (answer, "".join(server.log[-12:]))
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
    return "a disk of 16 KiB under the vision cache"


def graceful_end(vl3):
    server = Server(vl3, "--quiet")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(server.request("/v1/chat/completions", chat("go on", max_tokens=400))))
    thread.start()
    while server.metric("num_requests_running") == 0 and thread.is_alive():
        time.sleep(0.01)
    status = server.stop()
    thread.join()
    assert status == 0 and answers[0][0] == 200 and answers[0][1]["usage"]["completion_tokens"] == 400, (status, answers)
    return "the running answer was whole, status 0"


def main():
    vl3 = sys.argv[1]
    with Server(vl3, "--quiet") as server:
        expected = healthy(server)
        for fault in (clients_vanish, slow_readers, malformed, poisoned_media, worker_killed, idle_connections):
            print(f"{fault.__name__}: {fault(server)}", flush=True)
            assert healthy(server) == expected
    for fault in (bad_media_servers, full_disk, graceful_end):
        print(f"{fault.__name__}: {fault(vl3)}", flush=True)


main()
