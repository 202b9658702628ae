// Flags that make no sense, and messages files that are none.
#include "cli/hostile_world.h"

namespace vl3::test {
namespace {

using W = HostileWorld;
using Words = HostileWorld::Words;

std::string clip() { return W::data("clip.mp4"); }

Words schema(const W& w, const std::string& text) {
  return W::ask({"--json-schema", w.file("schema.json", text), "hi"});
}

std::vector<HostileRow> parser_rows() {
  return {
      {"UnknownFlag", 2, "", [](W&) -> Words { return {"ask", "--frobnicate", "hi"}; }},
      {"UnknownCommand", 2, "", [](W&) -> Words { return {"frobnicate"}; }},
      {"NoCommand", 2, "", [](W&) -> Words { return {}; }},
      {"QuestionMissing", 2, "", [](W&) { return W::ask({}); }},
      {"QuestionEmpty", 2, "", [](W&) { return W::ask({""}); }},
      {"QuestionNotUtf8", 2, "", [](W&) { return W::ask({"caf\xe9"}); }},
      {"ValueMissing", 2, "", [](W&) -> Words { return {"ask", "hi", "--max-tokens"}; }},
      {"MaxTokensZero", 2, "", [](W&) { return W::ask({"hi", "--max-tokens", "0"}); }},
      {"MaxTokensTwice", 2, "", [](W&) { return W::ask({"hi", "--max-tokens", "5"}); }},
      {"MaxTokensNegative", 2, "", [](W&) -> Words { return {"ask", "hi", "--max-tokens", "-3"}; }},
      {"MaxTokensWord", 2, "", [](W&) -> Words { return {"ask", "hi", "--max-tokens", "many"}; }},
      {"MaxTokensFraction", 2, "", [](W&) -> Words { return {"ask", "hi", "--max-tokens", "1.5"}; }},
      {"MaxTokensHuge", 2, "", [](W&) -> Words { return {"ask", "hi", "--max-tokens", "99999999999999999999"}; }},
      {"TemperatureNegative", 2, "", [](W&) -> Words { return {"ask", "hi", "--temperature", "-1"}; }},
      {"TemperatureNan", 2, "", [](W&) -> Words { return {"ask", "hi", "--temperature", "nan"}; }},
      {"TemperatureInfinite", 2, "", [](W&) -> Words { return {"ask", "hi", "--temperature", "inf"}; }},
      {"TopPTwo", 2, "", [](W&) -> Words { return {"ask", "hi", "--top-p", "2"}; }},
      {"TopPZero", 2, "", [](W&) { return W::ask({"hi", "--top-p", "0"}); }},
      {"TopPNan", 2, "", [](W&) -> Words { return {"ask", "hi", "--top-p", "nan"}; }},
      {"TopKNegative", 2, "", [](W&) -> Words { return {"ask", "hi", "--top-k", "-1"}; }},
      {"MinPNan", 2, "", [](W&) -> Words { return {"ask", "hi", "--min-p", "nan"}; }},
      {"PenaltyZero", 2, "", [](W&) -> Words { return {"ask", "hi", "--repetition-penalty", "0"}; }},
      {"PenaltyNan", 2, "", [](W&) -> Words { return {"ask", "hi", "--repetition-penalty", "nan"}; }},
      {"SeedNegative", 2, "", [](W&) -> Words { return {"ask", "hi", "--seed", "-1"}; }},
      {"SeedHuge", 2, "", [](W&) -> Words { return {"ask", "hi", "--seed", "18446744073709551616"}; }},
      {"StopEmpty", 2, "", [](W&) { return W::ask({"hi", "--stop", ""}); }},
      {"DtypeFloat8", 2, "", [](W&) -> Words { return {"ask", "hi", "--dtype", "float8"}; }},
      {"FlowUnknown", 2, "", [](W&) -> Words { return {"ask", "hi", "--flow", "sideways"}; }},
      {"ThreadsZero", 2, "", [](W&) -> Words { return {"ask", "hi", "--threads", "0"}; }},
      {"ThreadsHuge", 2, "", [](W&) -> Words { return {"ask", "hi", "--threads", "1000000"}; }},
      {"DeviceUnknown", 2, "", [](W&) { return W::ask({"hi", "--device", "foo"}); }},
      {"DeviceMeta", 2, "", [](W&) { return W::ask({"hi", "--device", "meta"}); }},
      {"DeviceCudaWithoutCuda", 2, "",
       [](W& w) {
         w.environment["CUDA_VISIBLE_DEVICES"] = "";
         return W::ask({"hi", "--device", "cuda"});
       }},
      {"DeviceCudaNegative", 2, "", [](W&) { return W::ask({"hi", "--device", "cuda:-3"}); }},
  };
}

std::vector<HostileRow> media_flag_rows() {
  return {
      {"FpsZero", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--fps", "0"}; }},
      {"FpsNan", 2, "", [](W&) { return W::ask({clip(), "hi", "--fps", "nan"}); }},
      {"FpsInfinite", 2, "", [](W&) { return W::ask({clip(), "hi", "--fps", "inf"}); }},
      {"FpsNegative", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--fps", "-1"}; }},
      {"FpsHuge", 2, "", [](W&) { return W::ask({clip(), "hi", "--fps", "1e300"}); }},
      {"MaxFramesZero", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--max-frames", "0"}; }},
      {"StartAfterEnd", 2, "", [](W&) { return W::ask({clip(), "hi", "--start", "2", "--end", "1"}); }},
      {"StartBehindTheVideo", 2, "", [](W&) { return W::ask({clip(), "hi", "--start", "1:00:00"}); }},
      {"StartNoTime", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--start", "1:xx"}; }},
      {"StartNegative", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--start", "-5"}; }},
      {"EndNan", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--end", "nan"}; }},
      {"EndFourFields", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--end", "1:2:3:4"}; }},
      {"MaxRamUnit", 2, "", [](W&) -> Words { return {"ask", "hi", "--max-ram", "12X"}; }},
      {"MaxRamNegative", 2, "", [](W&) -> Words { return {"ask", "hi", "--max-ram", "-1G"}; }},
      {"MaxRamNan", 2, "", [](W&) -> Words { return {"ask", "hi", "--max-ram", "nan"}; }},
      {"MaxRamTooSmall", 1, "", [](W&) { return W::ask({clip(), "hi", "--max-ram", "1M"}); }},
      {"MaxRamTooSmallToFit", 1, "", [](W&) { return W::ask({clip(), "hi", "--max-ram", "1M", "--fit"}); }},
      {"MaxVisualTokensZero", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--max-visual-tokens", "0"}; }},
      {"MaxVisualTokensTooFew", 2, "", [](W&) { return W::ask({clip(), "hi", "--max-visual-tokens", "1"}); }},
      {"PruneToZero", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--prune-to", "0"}; }},
      {"PruneToTooFew", 1, "", [](W&) { return W::ask({clip(), "hi", "--prune-to", "1"}); }},
      {"PruneReference", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--prune-reference", "x"}; }},
      {"PruneThresholdNegative", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--prune-threshold", "-1"}; }},
      {"PruneThresholdNan", 2, "", [](W&) { return W::ask({clip(), "hi", "--prune-threshold", "nan"}); }},
      {"TimeoutZero", 2, "", [](W&) -> Words { return {"ask", clip(), "hi", "--timeout", "0"}; }},
      {"TimeoutNan", 2, "", [](W&) { return W::ask({clip(), "hi", "--timeout", "nan"}); }},
  };
}

std::vector<HostileRow> constraint_rows() {
  return {
      {"SchemaMissingFile", 1, "", [](W& w) { return W::ask({"--json-schema", w.out("no.json"), "hi"}); }},
      {"SchemaBrokenJson", 2, "", [](W& w) { return schema(w, "{\"type\": "); }},
      {"SchemaEmptyFile", 2, "", [](W& w) { return schema(w, ""); }},
      {"SchemaNoSchema", 2, "", [](W& w) { return schema(w, "[1, 2]"); }},
      {"SchemaUnsatisfiable", 2, "", [](W& w) { return schema(w, R"({"type":"integer","minimum":5,"maximum":1})"); }},
      {"SchemaUnsupportedKeyword", 2, "", [](W& w) { return schema(w, R"({"type":"string","not":{"const":"x"}})"); }},
      {"SchemaTooDeep", 2, "", [](W& w) { return schema(w, std::string(100000, '[')); }},
      {"RegexBroken", 2, "", [](W&) { return W::ask({"--regex", "a(b", "hi"}); }},
      {"RegexTooLarge", 2, "", [](W&) { return W::ask({"--regex", "((a{1,999}){1,999}){1,999}", "hi"}); }},
      {"TwoConstraints", 2, "", [](W&) { return W::ask({"--regex", "a+", "--json-object", "hi"}); }},
  };
}

std::vector<HostileRow> messages_rows() {
  return {
      {"MessagesMissingFile", 1, "", [](W& w) { return W::ask({"--messages", w.out("no.json")}); }},
      {"MessagesFolder", 1, "", [](W& w) { return W::ask({"--messages", w.dir.path().string()}); }},
      {"MessagesBrokenJson", 1, "", [](W& w) { return w.ask_messages("[{\"role\": \"user\""); }},
      {"MessagesNotUtf8", 1, "", [](W& w) { return w.ask_messages("[{\"role\":\"user\",\"content\":\"caf\xe9\"}]"); }},
      {"MessagesTooDeep", 1, "", [](W& w) { return w.ask_messages(std::string(1 << 20, '[')); }},
      {"MessagesEmpty", 2, "", [](W& w) { return w.ask_messages("[]"); }},
      {"MessagesUnknownRole", 2, "", [](W& w) { return w.ask_messages(R"([{"role":"boss","content":"hi"}])"); }},
      {"MessagesUnknownPart", 2, "",
       [](W& w) { return w.ask_messages(R"([{"role":"user","content":[{"type":"smell","smell":"x"}]}])"); }},
      {"MessagesAudioPart", 1, "",
       [](W& w) { return w.ask_messages(R"([{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}])"); }},
      {"MessagesUnknownKey", 2, "",
       [](W& w) { return w.ask_messages(R"([{"role":"user","content":[{"type":"text","txt":"x"}]}])"); }},
      {"MessagesMissingPicture", 1, "",
       [](W& w) { return w.ask_messages(R"([{"role":"user","content":[{"type":"image","image":"/no/such.png"}]}])"); }},
      {"MessagesTimestampsTooMany", 2, "",
       [](W& w) {
         return w.ask_messages(
             R"([{"role":"user","content":[{"type":"video","frames":["a.png"],"timestamps":[1,2,3]}]}])");
       }},
      {"MessagesTooLongForTheModel", 1, "",
       [](W& w) {
         std::string text;
         for (int i = 0; i < 100000; ++i) text += "q ";
         return w.ask_messages("[{\"role\":\"user\",\"content\":\"" + text + "\"}]");
       }},
      {"MessagesAndMedia", 2, "",
       [](W& w) { return W::ask({"--messages", w.file("m.json", "[]"), W::data("picture.png"), "hi"}); }},
  };
}

}  // namespace

std::vector<HostileRow> hostile_flags() {
  std::vector<HostileRow> rows = parser_rows();
  for (const auto& more : {media_flag_rows(), constraint_rows(), messages_rows()}) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

}  // namespace vl3::test
