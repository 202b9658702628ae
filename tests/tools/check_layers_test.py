"""tools/check_layers.py accepts a good tree and names each kind of violation in a bad one."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECK = Path(__file__).resolve().parents[2] / "tools" / "check_layers.py"


def check(files):
    """Runs the check on a tree of {path: text}; gives (exit status, lines printed)."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, str(CHECK), root], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()


class CheckLayers(unittest.TestCase):
    def assert_one(self, files, *parts):
        status, lines = check(files)
        self.assertEqual((status, len(lines)), (1, 1), lines)
        for part in parts:
            self.assertIn(part, lines[0])

    def test_accepts_left_to_right(self):
        status, lines = check({
            "include/vl3/error.h": "#include <string>\n",
            "src/core/log.h": '#include <spdlog/spdlog.h>\n#include "vl3/error.h"\n',
            "src/vision/vit.h": "#include <ATen/core/Tensor.h>\n",
            "src/engine/engine.cpp": '#include "vision/vit.h"\n#include "core/log.h"\n',
            "src/sampling/xgrammar.cpp": '#include "support/other_library.h"\n',
            "src/cli/main.cpp": '#include "serve/server.h"\n#include "train/trainer.h"\n',
        })
        self.assertEqual((status, lines), (0, []))

    def test_names_right_to_left(self):
        self.assert_one({"src/media/a.cpp": '#include <map>\n  #  include "vision/vit.h"\n', "src/vision/vit.h": ""},
                        "src/media/a.cpp:2", "vision stands after media")

    def test_names_peers(self):
        self.assert_one({"src/serve/a.cpp": '#include "eval/runner.h"\n'}, "serve and eval may not know each other")
        self.assert_one({"src/train/a.cpp": '#include "eval/runner.h"\n'}, "eval stands after train")

    def test_names_torch_in_a_torch_free_folder(self):
        self.assert_one({"src/media/a.cpp": "#include <torch/types.h>\n"}, "media is free of libtorch", "torch/types.h")
        self.assert_one({"src/serve/queue/q.h": "#include <c10/util/Half.h>\n"}, "src/serve/queue/q.h")

    def test_follows_headers_to_torch(self):
        self.assert_one({
            "src/sampling/a.cpp": '#include "lm/step.h"\n',
            "src/lm/step.h": '#include "lm/tensors.h"\n',
            "src/lm/tensors.h": '#include <ATen/ATen.h>\n#include "lm/step.h"\n',
        }, "lm/step.h -> lm/tensors.h -> ATen/ATen.h")

    def test_names_private_headers_in_public_ones(self):
        self.assert_one({"include/vl3/a.h": '#include "core/log.h"\n', "src/core/log.h": ""}, "include/vl3/a.h:1")
        self.assert_one({"include/vl3/a.h": "#include <fmt/format.h>\n"}, "fmt/format.h")

    def test_names_a_folder_without_a_place(self):
        self.assert_one({"src/misc/a.cpp": ""}, "src/misc has no place")

    def test_names_an_include_without_its_folder(self):
        self.assert_one({"src/core/a.cpp": '#include "a.h"\n', "src/core/a.h": ""}, "write the path from src/")

    def test_names_a_loop_that_would_run_on_one_thread(self):
        self.assert_one({"src/ops/a.cpp": "// fine\nat::parallel_for(0, 9, 1, body);\n"}, "src/ops/a.cpp:2", "ops::parallel_for")

    def test_refuses_a_tree_without_sources(self):
        self.assert_one({"README.md": ""}, "no sources")


if __name__ == "__main__":
    unittest.main()
