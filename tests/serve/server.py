"""A running `vl3 serve` for tests: started on a free port, ended with the process.

usage in a test: with Server(vl3) as server: … server.url …
"""
import base64
import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGE = ROOT / "examples/media/shapes.png"
VIDEO = ROOT / "examples/media/moving.mp4"
SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def data_url(path, kind):
    return f"data:{kind};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


class Server:
    def __init__(self, vl3, *arguments, log=None):
        self.log = []
        # Its answers go on until max_tokens; those of the trained model are a few words.
        model = [] if "--model" in arguments else ["--model", str(ROOT / "tests/data/seeded_tiny")]
        dtype = [] if "--dtype" in arguments else ["--dtype", "float32"]
        self.process = subprocess.Popen(
            [vl3, "serve", "--port", "0", *dtype, *model, *arguments], stderr=subprocess.PIPE, text=True)
        self._echo = log
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r"serving .* at (http://\S+)/", line)
            if found:
                self.url = found[1]
                break
        else:
            raise RuntimeError("vl3 serve did not start:\n" + "".join(self.log))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=90)

    def rss_kib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def request(self, path, body=None, headers=None, timeout=120):
        """(status, parsed JSON or text)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                status, text = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def metric(self, name):
        _, text = self.request("/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"vl3:{name}[{{ ]", line))


def chat(text, media=(), **more):
    parts = [{"type": "image_url", "image_url": {"url": m}} if m.startswith("data:image") else
             {"type": "video_url", "video_url": {"url": m}} for m in media]
    return {"messages": [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}],
            "temperature": 0, "max_tokens": 16, "ignore_eos": True, **more}
