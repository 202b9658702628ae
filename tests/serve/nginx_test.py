"""deploy/nginx.conf in front of two replicas: one medium's requests meet one replica. usage: nginx_test.py VL3"""
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from server import ROOT, VIDEO, Server, chat, data_url, skip

nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
if nginx is None:
    skip("no nginx")


def main():
    vl3 = sys.argv[1]
    with Server(vl3, "--quiet") as a, Server(vl3, "--quiet") as b, tempfile.TemporaryDirectory() as folder:
        conf = (ROOT / "deploy/nginx.conf").read_text()
        port = 18080
        for old, new in [("127.0.0.1:8000", a.url.removeprefix("http://")), ("127.0.0.1:8001", b.url.removeprefix("http://")), ("listen 127.0.0.1:8080", f"listen 127.0.0.1:{port}")]:
            assert old in conf
            conf = conf.replace(old, new)
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
            conf = conf.replace("http {", f"http {{\n  {kind}_temp_path {folder}/{kind};", 1)
        conf = conf.replace("http {", "http {\n  access_log off;", 1)
        path = Path(folder) / "nginx.conf"
        path.write_text(f"pid {folder}/pid;\nerror_log {folder}/error.log;\ndaemon off;\n" + conf)
        process = subprocess.Popen([nginx, "-p", folder, "-c", str(path)])
        try:
            time.sleep(1)
            url = f"http://127.0.0.1:{port}/v1/chat/completions"

            def ask(key, **more):
                body = json.dumps(chat("What happens? " * 20, [data_url(VIDEO, "video/mp4")], **more)).encode()
                request = urllib.request.Request(url, body, {"Content-Type": "application/json", "X-Media-Key": key})
                return urllib.request.urlopen(request, timeout=60).read().decode()

            origin = {"Origin": f"http://127.0.0.1:{port}"}
            for path in ("/", "/app.js", "/v1/models"):  # as the page's own modules and requests
                with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=origin)) as response:
                    assert response.status == 200, path
            try:
                urllib.request.urlopen(urllib.request.Request(url, b"{}", {"Content-Type": "application/json", "Origin": "http://evil.example"}))
                raise AssertionError("a page of another host got through")
            except urllib.error.HTTPError as error:
                assert error.code == 403, error.code
            for key in range(12):
                for _ in range(2):
                    answer = json.loads(ask(f"video-{key}", max_frames=1 + key % 4, cache_salt=str(key)))
                assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] > 0, "the second request met the other replica"
            used = [server.metric("request_success_total") for server in (a, b)]
            assert min(used) > 0 and sum(used) == 24, used
            assert ask("x", stream=True).rstrip().endswith("data: [DONE]")
            a.stop()
            for key in range(6):
                assert "choices" in ask(f"video-{key}")
            print(f"24 requests over two replicas {used}, each medium on one; one replica gone: the other answers")
        finally:
            process.terminate()
            process.wait()


main()
