#!/usr/bin/env python3
"""Precision and recall of every filter of `vl3 curate` on a generated collection with known faults.

usage: filters.py VL3 FOLDER [--count 20000] [--seed 7] [--model DIR --min-gain G] [--set KEY=VALUE …]
FOLDER/collection is made once by `vl3 synth --collection`; results go to FOLDER/out, balanced ones to FOLDER/balanced.
Prints one JSON object: a row a filter, the hostile lines by what became of them, and the recall of rare kinds.
"""
import argparse
import collections
import json
import subprocess
from pathlib import Path

# fault of truth.jsonl -> reasons that name it
REASONS = {
    "aspect": {"aspect_ratio"},
    "blank": {"blank"},
    "blurred": {"blurred"},
    "corrupt": {"corrupt", "not_media"},
    "wrong_caption": {"text_image_similarity"},
    "caption_spam": {"caption_repetition"},
    "caption_control": {"caption_control_characters"},
    "template": {"caption_template"},
}
DUPLICATES = {"exact_duplicate", "near_duplicate"}


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def outcome(folder, count):
    """position -> reason ("" kept), position -> line; every item stands exactly once."""
    rows = lines(folder / "kept.jsonl") + lines(folder / "dropped.jsonl")
    by_position = {row["position"]: row for row in rows}
    assert len(rows) == len(by_position) == count, (len(rows), len(by_position), count)
    return {p: row.get("reason", "") for p, row in by_position.items()}, by_position


def ratio(part, whole):
    return round(part / whole, 4) if whole else None


def row(fault, reasons, truths, outcomes, most=0):
    """Faulty items that an earlier filter took are left out of the recall; `most` of a template may stay."""
    faulty = {p for p, truth in truths.items() if truth["fault"] == fault}
    named = {p for p, reason in outcomes.items() if reason in reasons}
    reached = {p for p in faulty if outcomes[p] == "" or outcomes[p] in reasons}
    found = len(named & faulty)
    return {"filter": fault, "faulty": len(faulty), "named": len(named), "precision": ratio(found, len(named)),
            "recall": ratio(found, max(0, len(reached) - most))}


def duplicates(truths, outcomes, rows):
    """Of a picture and its copies that reached the filter, all but one should go, each naming the one that stays.

    A duplicate of something that is a duplicate itself (a chain of likenesses) is not right."""
    groups = collections.defaultdict(set)
    root = {p: truth.get("original", p) for p, truth in truths.items()}
    for position, of in root.items():
        if truths[position]["fault"] in ("", *DUPLICATES):
            groups[of].add(position)
    result = []
    named = {p: rows[p]["duplicate_of"] for p, reason in outcomes.items() if reason in DUPLICATES}
    chained = sum(1 for other in named.values() if outcomes[other] in DUPLICATES)
    right = sum(1 for p, other in named.items() if root[other] == root[p] and outcomes[other] not in DUPLICATES)
    hows = collections.defaultdict(lambda: [0, 0])
    for members in groups.values():
        reached = {p for p in members if outcomes[p] in ("", "caption_template", "cluster_quota", *DUPLICATES)}
        gone = {p for p in reached if outcomes[p] in DUPLICATES}
        for p in reached:
            if truths[p]["fault"] not in DUPLICATES or len(reached) < 2:
                continue
            # A copy counts as found where it is gone, or where what it was made from is gone in its place.
            how = truths[p].get("how", "equal bytes")
            hows[how][1] += 1
            hows[how][0] += p in gone or (len(reached) == 2 and bool(gone))
    wanted = sum(pair[1] for pair in hows.values())
    found = sum(pair[0] for pair in hows.values())
    result.append({"filter": "duplicates", "faulty": wanted, "named": len(named), "chained": chained,
                   "precision": ratio(right, len(named)), "recall": ratio(found, wanted)})
    for how, (got, of) in sorted(hows.items()):
        result.append({"filter": f"duplicates: {how}", "faulty": of, "recall": ratio(got, of)})
    return result


def run(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vl3")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model", default="none")
    parser.add_argument("--min-gain", default="0")
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    collection = args.folder / "collection"
    args.folder.mkdir(parents=True, exist_ok=True)
    if not collection.exists():
        subprocess.run([args.vl3, "synth", "--collection", "--out", collection, "--count", str(args.count), "--seed", str(args.seed)], check=True)
    truths = {truth["position"]: truth for truth in lines(collection / "truth.jsonl")}
    command = [args.vl3, "curate", "--json", "--quiet", "--input", collection / "items.jsonl", "--data-root", collection / "media"]
    for setting in args.set:
        command += ["--set", setting]
    if args.model != "none":
        command += ["--set", f"model={args.model}", "--set", f"similarity.min_gain={args.min_gain}"]

    report = run([*command, "--output", args.folder / "out"])
    outcomes, rows = outcome(args.folder / "out", len(truths))
    table = [row(fault, reasons, truths, outcomes, 50 if fault == "template" else 0) for fault, reasons in REASONS.items()
             if fault != "wrong_caption" or args.model != "none"]
    table += duplicates(truths, outcomes, rows)
    hostile = collections.defaultdict(collections.Counter)
    for position, truth in truths.items():
        if truth["fault"].startswith("hostile"):
            hostile[truth["fault"]][outcomes[position] or "KEPT"] += 1
    sound = [p for p, truth in truths.items() if truth["fault"] == ""]
    lost = collections.Counter(outcomes[p] for p in sound if outcomes[p] not in ("", *DUPLICATES))

    # A fifth of what is kept: drawn evenly, and a quota a cluster.
    rare = {p for p in sound if truths[p].get("rare") and outcomes[p] == ""}
    target = report["kept"] // 5
    clusters = int(report["kept"] ** 0.5)
    # The same scores: only the selection runs again, in the same folder's copy.
    subprocess.run(["cp", "-rn", args.folder / "out", args.folder / "balanced"], check=True)
    balanced = run([*command, "--output", args.folder / "balanced", "--set", f"clusters.target_items={target}", "--set", f"clusters.count={clusters}"])
    after, _ = outcome(args.folder / "balanced", len(truths))
    print(json.dumps({
        "items": len(truths), "run": report, "filters": table, "hostile": hostile,
        "sound": len(sound), "sound_dropped": lost,
        "rare": {"items": len(rare), "kept_items": balanced["kept"], "share_kept": ratio(balanced["kept"], report["kept"]),
                 "recall_drawn_evenly": ratio(balanced["kept"], report["kept"]),
                 "recall_balanced": ratio(sum(after[p] == "" for p in rare), len(rare))},
    }, indent=1))


if __name__ == "__main__":
    main()
