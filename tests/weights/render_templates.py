"""render_templates.py FOLDER TABLE: renders FOLDER/{native,remote}.jinja as transformers does and compares with the
rows of golden tables/chat_template.json. Exit status 77 where jinja2 is missing."""
import json
import sys
from pathlib import Path

try:
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

folder, table = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
checked = wrong = 0
for layout in ("native", "remote"):
    template = environment.from_string((folder / f"{layout}.jinja").read_text(encoding="utf-8"))
    for row in table:
        if layout not in row:
            continue
        flags = {key: row[key] for key in ("add_system_prompt", "add_generation_prompt")}
        variants = [flags]
        if not flags["add_system_prompt"]:
            variants.append({"add_generation_prompt": flags["add_generation_prompt"]})  # its default
        for variant in variants:
            for extra in ({}, {"image_token": "<image>"}):
                got = template.render(messages=row["conversation"], **variant, **extra)
                checked += 1
                if got != row[layout]:
                    wrong += 1
                    print(f"{layout}: {row['conversation']}\n  got      {got!r}\n  expected {row[layout]!r}")
print(f"{checked} renderings, {wrong} differ")
sys.exit(1 if wrong or not checked else 0)
