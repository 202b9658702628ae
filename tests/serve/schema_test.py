"""Schemathesis against the published openapi.yaml. usage: schema_test.py VL3 [EXAMPLES]"""
import subprocess
import sys
from pathlib import Path

from server import Server, skip

program = Path(sys.executable).with_name("schemathesis")
if not program.exists():
    skip("no schemathesis beside this Python")
with Server(sys.argv[1], "--quiet", "--default-max-tokens", "4") as server:
    examples = sys.argv[2] if len(sys.argv) > 2 else "20"
    status = subprocess.run(
        [program, "run", server.url + "/openapi.yaml", "--checks", "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance",
         "--max-examples", examples, "--seed", "1", "--workers", "1", "--request-timeout", "120"]).returncode
    assert server.request("/health")[0] == 200
sys.exit(status)
