// vl3 trace: every intermediate tensor under the golden names, for comparison with the reference.
#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "core/check.h"
#include "core/file.h"
#include "engine/out_of_memory.h"
#include "engine/trace_case.h"
#include "weights/safetensors_writer.h"

namespace vl3::cli {
namespace {

weights::DType stored_dtype(at::ScalarType type) {
  if (type == at::kFloat) return weights::DType::kF32;
  if (type == at::kInt) return weights::DType::kI32;
  VL3_CHECK(type == at::kByte, kInternal, "trace tensor of an unexpected dtype");
  return weights::DType::kU8;
}

void write_tensors(const std::map<std::string, at::Tensor>& tensors, const std::filesystem::path& path) {
  std::vector<weights::TensorInfo> infos;
  std::vector<at::Tensor> data;
  for (const bool bytes : {false, true}) {  // the format wants wide elements first
    for (const auto& [name, tensor] : tensors) {
      if ((tensor.scalar_type() == at::kByte) != bytes) continue;
      infos.push_back({name, stored_dtype(tensor.scalar_type()), tensor.sizes().vec()});
      data.push_back(tensor.contiguous());
    }
  }
  weights::SafetensorsWriter writer(path, infos);
  for (const at::Tensor& tensor : data) {
    writer.append({static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
  }
  writer.commit();
}

struct TraceCommand {
  ModelFlags model;
  std::string messages, case_file, media_root, out, logits_positions;
  int64_t greedy_tokens = 24;

  void run() {
    VL3_CHECK(messages.empty() != case_file.empty(), kInvalidArgument,
              "give one of --messages F and --case F");
    std::filesystem::path json_path = out;
    json_path.replace_extension(".json");
    VL3_CHECK(json_path != std::filesystem::path(out), kInvalidArgument,
              "--out {}: that name is for the JSON beside the tensors; end it in .safetensors", out);
    for (const std::filesystem::path& path : {std::filesystem::path(out), json_path}) {
      VL3_CHECK(!std::filesystem::is_directory(path), kInvalidArgument, "--out {}: {} is a folder", out,
                path.string());
      for (const std::string& input : {messages, case_file}) check_no_input(path, input);
    }
    engine::TraceCase traced = case_file.empty() ? engine::read_trace_messages(messages, media_root)
                                                 : engine::read_trace_case(case_file, media_root);
    traced.trace.greedy_tokens = greedy_tokens;
    choose_positions(traced.trace);
    const auto runtime = model.load_runtime();
    const engine::Trace trace = engine::naming_out_of_memory(
        [&] { return engine::trace(*runtime, traced.conversation, traced.request, traced.trace); },
        "trace fewer or smaller media, or fewer rows (--logits-positions)");
    write_tensors(trace.tensors, out);
    write_file_atomically(json_path,
                          trace.json.dump(1, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
  }

  void choose_positions(engine::TraceOptions& trace) const {
    if (logits_positions.empty()) return;
    trace.logits_positions.clear();
    trace.all_logits = logits_positions == "all";
    if (trace.all_logits) return;
    const char* const end = logits_positions.data() + logits_positions.size();
    for (const char* at = logits_positions.data();;) {
      int64_t row = -1;
      const auto [next, error] = std::from_chars(at, end, row);
      VL3_CHECK(error == std::errc() && row >= 0 && (next == end || *next == ','), kInvalidArgument,
                "--logits-positions \"{}\": expected rows, as in 0,17,40, or all", logits_positions);
      trace.logits_positions.push_back(row);
      if (next == end) return;
      at = next + 1;
    }
  }
};

}  // namespace

void add_trace(CLI::App& app) {
  auto trace = std::make_shared<TraceCommand>();
  CLI::App* command =
      app.add_subcommand("trace", "Write every intermediate tensor, to compare with the reference");
  trace->model.add(*command);
  command->add_option("--messages", trace->messages, "OpenAI-style messages")->option_text("F.json");
  command->add_option("--case", trace->case_file, "A golden case file")->option_text("CASE.json");
  command->add_option("--media-root", trace->media_root, "Where relative media paths start (default: here)");
  command->add_option("--out", trace->out, "Tensors go to T.safetensors, the rest to T.json")
      ->option_text("T.safetensors")
      ->required();
  command->add_option("--greedy-tokens", trace->greedy_tokens, "Tokens generated greedily (24)")
      ->check(CLI::Range(1, 4096));
  command
      ->add_option("--logits-positions", trace->logits_positions,
                   "Rows of the fused sequence whose hidden states and logits are written (default: the "
                   "case's, else the last)")
      ->option_text("LIST|all");
  command->callback([trace] { trace->run(); });
}

}  // namespace vl3::cli
