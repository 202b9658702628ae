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
      {"UnknownFlag", 2, "The following argument was not expected: --frobnicate",
       [](W&) -> Words {
         return {"ask", "--frobnicate", "hi"};
       }},
      {"UnknownCommand", 2, "unknown command \"frobnicate\"", [](W&) -> Words { return {"frobnicate"}; }},
      {"UnknownFlagOfTwoLines", 2, "The following argument was not expected: --a b\\x1b[31m",
       [](W&) -> Words {
         return {"ask", "hi", "--a\nb\x1b[31m"};
       }},
      {"NoCommand", 2, "A subcommand is required; see vl3 --help", [](W&) -> Words { return {}; }},
      {"UnknownFlagAlone", 2, "unknown flag \"--bogus\"; see vl3 --help",
       [](W&) -> Words { return {"--bogus"}; }},
      {"LogLevel", 2, "VL3_LOG is \"bogus\": expected trace, debug",
       [](W& w) -> Words {
         w.environment["VL3_LOG"] = "bogus";
         return {"--version"};
       }},
      {"QuestionIsAFile", 2, "picture.png\" is a file: where is the question?",
       [](W&) { return W::ask({W::data("picture.png")}); }},
      {"QuestionIsAFolder", 2, "/frames\" is a folder: where is the question?",
       [](W& w) {
         w.file("frames/1.png", W::bytes_of(W::data("picture.png")));
         return W::ask({w.out("frames")});
       }},
      {"QuestionIsAnAddress", 2, "\"http://127.0.0.1:9/cat.png\" is an address: where is the question?",
       [](W&) { return W::ask({"http://127.0.0.1:9/cat.png"}); }},
      {"QuestionIsStdin", 2, "\"-\" is stdin: where is the question?", [](W&) { return W::ask({"-"}); }},
      {"NoPruneWithAThreshold", 2, "--prune-threshold excludes --no-prune",
       [](W&) {
         return W::ask({"hi", "--no-prune", "--prune-threshold", "5"});
       }},
      {"QuestionMissing", 2, "no question: write it last, in quotes", [](W&) { return W::ask({}); }},
      {"QuestionNotUtf8", 2, "the text is not UTF-8: byte 0xe9", [](W&) { return W::ask({"caf\xe9"}); }},
      {"ValueMissing", 2, "--max-tokens: 1 required",
       [](W&) -> Words {
         return {"ask", "hi", "--max-tokens"};
       }},
      {"MaxTokensZero", 2, "--max-tokens: Value 0 not in range 1 to",
       [](W&) {
         return W::ask({"hi", "--max-tokens", "0"});
       }},
      {"MaxTokensHuge", 2, "--max-tokens: Value 99999999999999999999 not in range",
       [](W&) -> Words {
         return {"ask", "hi", "--max-tokens", "99999999999999999999"};
       }},
      {"TemperatureNegative", 2, "--temperature: \"-1\": expected a number at least 0, at most",
       [](W&) -> Words {
         return {"ask", "hi", "--temperature", "-1"};
       }},
      {"TemperatureNan", 2, "--temperature: \"nan\": expected a number at least 0, at most",
       [](W&) -> Words {
         return {"ask", "hi", "--temperature", "nan"};
       }},
      {"TopPTwo", 2, "--top-p: \"2\": expected a number at least 0, at most 1",
       [](W&) -> Words {
         return {"ask", "hi", "--top-p", "2"};
       }},
      {"SeedNegative", 2, "--seed: \"-1\": expected a whole number from 0 to",
       [](W&) -> Words {
         return {"ask", "hi", "--seed", "-1"};
       }},
      {"SeedHuge", 2, "--seed: \"18446744073709551616\": expected a whole number",
       [](W&) -> Words {
         return {"ask", "hi", "--seed", "18446744073709551616"};
       }},
      {"StopEmpty", 2, "stop: every string must have 1 to",
       [](W&) {
         return W::ask({"hi", "--stop", ""});
       }},
      {"DtypeFloat8", 2, "--dtype: float8 not in {auto,float32,bfloat16}",
       [](W&) -> Words {
         return {"ask", "hi", "--dtype", "float8"};
       }},
      {"KvCacheDtypeFp8", 2, "--kv-cache-dtype: fp8 not in {auto,int8}",
       [](W&) -> Words {
         return {"ask", "hi", "--kv-cache-dtype", "fp8"};
       }},
      {"ThreadsZero", 2, "--threads: Value 0 not in range 1 to",
       [](W&) -> Words {
         return {"ask", "hi", "--threads", "0"};
       }},
      {"DeviceUnknown", 2, "invalid argument: device \"foo\": expected cpu, cuda or cuda:N",
       [](W&) {
         return W::ask({"hi", "--device", "foo"});
       }},
      {"DeviceCudaWithoutCuda", 2, "device \"cuda\": this libtorch sees no CUDA device",
       [](W& w) {
         w.environment["CUDA_VISIBLE_DEVICES"] = "";
         return W::ask({"hi", "--device", "cuda"});
       }},
  };
}

std::vector<HostileRow> media_flag_rows() {
  return {
      {"FpsZero", 2, "--fps: \"0\": expected a number above 0, at most",
       [](W&) -> Words {
         return {"ask", clip(), "hi", "--fps", "0"};
       }},
      {"FpsNan", 2, "--fps: \"nan\": expected a number above 0, at most",
       [](W&) {
         return W::ask({clip(), "hi", "--fps", "nan"});
       }},
      {"StartAfterEnd", 2, "invalid argument: end is 1 s, before the start at 2 s",
       [](W&) {
         return W::ask({clip(), "hi", "--start", "2", "--end", "1"});
       }},
      {"StartBehindTheVideo", 2, "no frame between 3600 s and its end",
       [](W&) {
         return W::ask({clip(), "hi", "--start", "1:00:00"});
       }},
      {"StartNoTime", 2, "--start: \"1:xx\": expected seconds (12.5) or a time (1:30, 0:01:30.5)",
       [](W&) -> Words {
         return {"ask", clip(), "hi", "--start", "1:xx"};
       }},
      {"MaxRamUnit", 2, "--max-ram: \"12X\": expected a size like 8GiB, 512M or a number of bytes",
       [](W&) -> Words {
         return {"ask", "hi", "--max-ram", "12X"};
       }},
      {"MaxRamZero", 2, "--max-ram: \"0\": expected a size above 0",
       [](W&) -> Words {
         return {"ask", "hi", "--max-ram", "0"};
       }},
      {"FitWithoutMaxRam", 2, "--fit requires --max-ram",
       [](W&) -> Words {
         return {"ask", clip(), "hi", "--fit"};
       }},
      {"PruneToBesideNoPrune", 2, "--prune-to excludes --no-prune",
       [](W&) -> Words { return {"ask", clip(), "hi", "--no-prune", "--prune-to", "9"}; }},
      {"InspectMaxRam", 2, "The following argument was not expected: --max-ram=1G; see vl3 inspect --help",
       [](W&) -> Words {
         return {"inspect", clip(), "--max-ram=1G"};
       }},
      {"MaxRamTooSmall", 1, "MiB are needed, --max-ram allows 1 MiB",
       [](W&) {
         return W::ask({clip(), "hi", "--max-ram", "1M"});
       }},
      {"MaxRamTooSmallToFit", 1, "with the fewest frames), --max-ram allows 1 MiB",
       [](W&) {
         return W::ask({clip(), "hi", "--max-ram", "1M", "--fit"});
       }},
      {"MaxVisualTokensTooFew", 1, "visual tokens, max_visual_tokens is 1",
       [](W&) {
         return W::ask({clip(), "hi", "--max-visual-tokens", "1"});
       }},
      {"PruneToTooFew", 2, "cannot prune to 1 visual tokens",
       [](W&) {
         return W::ask({clip(), "hi", "--prune-to", "1"});
       }},
      {"PruneReference", 2, "--prune-reference: x not in {previous,last-kept}",
       [](W&) -> Words {
         return {"ask", clip(), "hi", "--prune-reference", "x"};
       }},
      {"PruneThresholdNan", 2, "--prune-threshold: \"nan\": expected a number at least 0, at most",
       [](W&) {
         return W::ask({clip(), "hi", "--prune-threshold", "nan"});
       }},
      {"TimeoutNan", 2, "--timeout: \"nan\": expected a number above 0, at most",
       [](W&) {
         return W::ask({clip(), "hi", "--timeout", "nan"});
       }},
  };
}

std::vector<HostileRow> constraint_rows() {
  return {
      {"SchemaMissingFile", 1, "/no.json: cannot be opened: No such file or directory",
       [](W& w) {
         return W::ask({"--json-schema", w.out("no.json"), "hi"});
       }},
      {"SchemaBrokenJson", 2, "JSON schema: not valid JSON", [](W& w) { return schema(w, "{\"type\": "); }},
      {"SchemaEmptyFile", 2, "/schema.json: is empty, a JSON schema is expected",
       [](W& w) { return schema(w, ""); }},
      {"SchemaNoSchema", 2, "JSON schema: Schema should be an object or bool",
       [](W& w) { return schema(w, "[1, 2]"); }},
      {"SchemaUnsatisfiable", 2, "JSON schema: Invalid range",
       [](W& w) { return schema(w, R"({"type":"integer","minimum":5,"maximum":1})"); }},
      {"SchemaUnsupportedKeyword", 2, "JSON schema: \"not\" cannot be enforced",
       [](W& w) { return schema(w, R"({"type":"string","not":{"const":"x"}})"); }},
      {"RegexBroken", 2, "invalid argument: regex: ",
       [](W&) {
         return W::ask({"--regex", "a(b", "hi"});
       }},
      {"RegexBrokenBeforeTheMediaAreOpened", 2, "invalid argument: regex: ",
       [](W& w) {
         return W::ask({"--regex", "a(b", w.out("no-such.png"), "hi"});
       }},
      {"ConstraintBesideIgnoreEos", 2,
       "invalid argument: ignore_eos excludes json_schema, json_object and regex",
       [](W&) {
         return W::ask({"--regex", "a{1,3}", "--ignore-eos", "hi"});
       }},
      {"TwoConstraints", 2, "json_schema, json_object and regex exclude one another",
       [](W&) {
         return W::ask({"--regex", "a+", "--json-object", "hi"});
       }},
  };
}

std::vector<HostileRow> messages_rows() {
  return {
      {"MessagesMissingFile", 1, "/no.json: cannot be opened: No such file or directory",
       [](W& w) {
         return W::ask({"--messages", w.out("no.json")});
       }},
      {"MessagesBrokenJson", 1, "/messages.json: not valid JSON",
       [](W& w) { return w.ask_messages("[{\"role\": \"user\""); }},
      {"MessagesNotUtf8", 1, "/messages.json: not valid JSON",
       [](W& w) { return w.ask_messages("[{\"role\":\"user\",\"content\":\"caf\xe9\"}]"); }},
      {"MessagesTooDeep", 1, "/messages.json: JSON nested deeper than",
       [](W& w) { return w.ask_messages(std::string(1 << 20, '[')); }},
      {"MessagesEmpty", 2, "/messages.json: a list of at least one message is expected, found []",
       [](W& w) { return w.ask_messages("[]"); }},
      {"MessagesUnknownRole", 2, ": unknown role \"boss\"; use system, user, assistant, stream",
       [](W& w) { return w.ask_messages(R"([{"role":"boss","content":"hi"}])"); }},
      {"MessagesUnknownPart", 2, "unknown content type \"smell\"",
       [](W& w) { return w.ask_messages(R"([{"role":"user","content":[{"type":"smell","smell":"x"}]}])"); }},
      {"MessagesUnknownKey", 2, ": unknown key \"txt\"; allowed: type, text",
       [](W& w) { return w.ask_messages(R"([{"role":"user","content":[{"type":"text","txt":"x"}]}])"); }},
      {"MessagesMissingPicture", 1, "not found: /no/such.png: No such file or directory",
       [](W& w) {
         return w.ask_messages(R"([{"role":"user","content":[{"type":"image","image":"/no/such.png"}]}])");
       }},
      {"MessagesTooLongForTheModel", 1, "more than the model's max_position_embeddings",
       [](W& w) {
         std::string text;
         for (int i = 0; i < 100000; ++i) text += "q ";
         return w.ask_messages("[{\"role\":\"user\",\"content\":\"" + text + "\"}]");
       }},
      {"MessagesAndMedia", 2, "--messages holds the whole conversation",
       [](W& w) {
         return W::ask({"--messages", w.file("m.json", "[]"), W::data("picture.png"), "hi"});
       }},
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
