// The other commands: convert, trace, pull, plan, inspect, bench.
#include "cli/hostile_world.h"

namespace vl3::test {
namespace {

using W = HostileWorld;
using Words = HostileWorld::Words;

Words convert(const W& w, const Words& more) {
  Words words{"convert", W::model(), w.out()};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words trace(const W& w, const std::string& json) {
  return W::with_model("trace", {"--case", w.file("case.json", json), "--out", w.out("t.safetensors")});
}

Words pull(const Words& words, const std::string& endpoint) {
  Words all{"pull", "--endpoint", endpoint};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

constexpr const char* kHi = R"({"conversation": [{"role": "user", "content": "hi"}], "logits_positions": [0]})";

std::vector<HostileRow> convert_rows() {
  return {
      {"ConvertOutNotEmpty", 2, "",
       [](W& w) {
         w.file("out/precious.txt", "keep me");
         return convert(w, {"--to", "remote"});
       }},
      {"ConvertOutIsAFile", 2, "",
       [](W& w) {
         w.file("out", "keep me");
         return convert(w, {"--to", "remote"});
       }},
      {"ConvertOutWithoutParent", 2, "",
       [](W& w) -> Words { return {"convert", W::model(), w.out("no/such/place"), "--to", "remote"}; }},
      {"ConvertOntoItself", 2, "",
       [](W& w) -> Words {
         const std::string model = w.model_copy().string();
         return {"convert", model, model, "--to", "remote"};
       }},
      {"ConvertSourceMissing", 1, "",
       [](W& w) -> Words { return {"convert", w.out("nothing"), w.out(), "--to", "remote"}; }},
      {"ConvertSourceBroken", 1, "",
       [](W& w) -> Words {
         const std::filesystem::path folder = w.model_copy();
         std::filesystem::resize_file(folder / "model.safetensors", 1000);
         return {"convert", folder.string(), w.out(), "--to", "remote"};
       }},
      {"ConvertWithoutLayout", 2, "", [](W& w) { return convert(w, {}); }},
      {"ConvertUnknownLayout", 2, "", [](W& w) { return convert(w, {"--to", "sideways"}); }},
      {"ConvertUnknownDtype", 2, "", [](W& w) { return convert(w, {"--to", "remote", "--dtype", "int3"}); }},
      {"ConvertShardSizeZero", 2, "", [](W& w) { return convert(w, {"--to", "remote", "--max-shard-size", "0"}); }},
      {"ConvertShardSizeWord", 2, "", [](W& w) { return convert(w, {"--to", "remote", "--max-shard-size", "big"}); }},
      {"ConvertRandomWithoutConfig", 1, "",
       [](W& w) -> Words { return {"convert", "--random", w.out("nothing"), w.out()}; }},
  };
}

std::vector<HostileRow> trace_rows() {
  return {
      {"TraceWithoutCase", 2, "", [](W& w) { return W::with_model("trace", {"--out", w.out()}); }},
      {"TraceWithoutOut", 2, "", [](W& w) { return W::with_model("trace", {"--case", w.file("case.json", kHi)}); }},
      {"TraceMissingCase", 1, "",
       [](W& w) { return W::with_model("trace", {"--case", w.out("no.json"), "--out", w.out("t.safetensors")}); }},
      {"TraceCaseBroken", 1, "", [](W& w) { return trace(w, "{\"conversation\": ["); }},
      {"TraceCaseWithoutConversation", 1, "", [](W& w) { return trace(w, R"({"logits_positions": [0]})"); }},
      {"TraceCaseIsAList", 1, "", [](W& w) { return trace(w, "[]"); }},
      {"TracePositionOutOfRange", 2, "",
       [](W& w) {
         return trace(w, R"({"conversation": [{"role": "user", "content": "hi"}], "logits_positions": [123456]})");
       }},
      {"TracePositionText", 1, "",
       [](W& w) {
         return trace(w, R"({"conversation": [{"role": "user", "content": "hi"}], "logits_positions": ["x"]})");
       }},
      {"TraceMediaMissing", 1, "",
       [](W& w) {
         return trace(w, R"({"conversation": [{"role": "user", "content": [{"type": "image", "image": "gone.png"}]}]})");
       }},
      {"TraceOutWithoutParent", 2, "",
       [](W& w) {
         return W::with_model("trace", {"--case", w.file("case.json", kHi), "--out", w.out("no/such/t.safetensors")});
       }},
      {"TraceOutIsAFolder", 2, "",
       [](W& w) {
         std::filesystem::create_directory(w.out("t.safetensors"));
         return W::with_model("trace", {"--case", w.file("case.json", kHi), "--out", w.out("t.safetensors")});
       }},
      {"TraceOutIsTheJson", 2, "",
       [](W& w) { return W::with_model("trace", {"--case", w.file("case.json", kHi), "--out", w.out("t.json")}); }},
  };
}

std::vector<HostileRow> pull_rows() {
  return {
      {"PullNameWithoutOrg", 2, "", [](W& w) { return pull({"model"}, w.closed_port()); }},
      {"PullNameClimbs", 2, "", [](W& w) { return pull({"../etc"}, w.closed_port()); }},
      {"PullNameThreeParts", 2, "", [](W& w) { return pull({"a/b/c"}, w.closed_port()); }},
      {"PullRevisionClimbs", 2, "", [](W& w) { return pull({"a/b", "--revision", "../../x"}, w.closed_port()); }},
      {"PullWithoutEndpoint", 2, "", [](W&) -> Words { return {"pull", "a/b"}; }},
      {"PullEndpointNoUrl", 2, "", [](W&) { return pull({"a/b"}, "not a url"); }},
      {"PullEndpointOfAnotherScheme", 2, "", [](W&) { return pull({"a/b"}, "ftp://127.0.0.1/"); }},
      {"PullClosedPort", 1, "", [](W& w) { return pull({"a/b"}, w.closed_port()); }, true},
      {"PullOfflineNotCached", 1, "", [](W& w) { return pull({"a/b", "--offline"}, w.closed_port()); }},
      {"PullCacheIsAFile", 2, "",
       [](W& w) { return pull({"a/b", "--cache-dir", w.file("cache", "x") + "/deeper"}, w.closed_port()); }},
  };
}

std::vector<HostileRow> other_rows() {
  return {
      {"PlanMissingFile", 1, "", [](W& w) { return W::with_model("plan", {w.out("no.mp4")}); }},
      {"PlanWithoutMedia", 2, "", [](W&) { return W::with_model("plan", {}); }},
      {"InspectWithoutMedia", 2, "", [](W&) { return W::with_model("inspect", {}); }},
      {"InspectBroken", 1, "",
       [](W& w) { return W::with_model("inspect", {w.cut("picture.png", 0.6), "--out", w.out("sheet.png")}); }},
      {"InspectOutWithoutParent", 2, "",
       [](W& w) { return W::with_model("inspect", {W::data("picture.png"), "--out", w.out("no/such/sheet.png")}); }},
      {"InspectTooLarge", 1, "",
       [](W& w) {
         Json frames = Json::array();
         for (int i = 0; i < 8000; ++i) frames.push_back(W::data("picture.png"));
         const Json messages = {{{"role", "user"}, {"content", {{{"type", "video"}, {"frames", frames}}}}}};
         return W::with_model("inspect", {"--messages", w.file("m.json", messages.dump()), "--out", w.out("sheet.png")});
       }},
      {"BenchUnknownKey", 2, "", [](W&) { return W::with_model("bench", {"--only", "teleport"}); }},
      {"BenchRepeatsZero", 2, "", [](W&) { return W::with_model("bench", {"--repeats", "0"}); }},
      {"ChatModelMissing", 1, "", [](W& w) -> Words { return {"chat", "--model", w.out("nothing/here")}; }},
      {"ChatBadFlag", 2, "", [](W&) -> Words { return {"chat", "--fps", "0"}; }},
  };
}

}  // namespace

std::vector<HostileRow> hostile_commands() {
  std::vector<HostileRow> rows = convert_rows();
  for (const auto& more : {trace_rows(), pull_rows(), other_rows()}) rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace vl3::test
