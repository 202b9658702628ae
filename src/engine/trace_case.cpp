#include "engine/trace_case.h"

#include "core/check.h"

namespace vl3::engine {

TraceCase read_trace_case(const std::filesystem::path& path, const std::filesystem::path& media_root) {
  const Json json = read_json_file(path);
  const JsonView view(json, path.string());
  TraceCase result;
  result.conversation =
      text::parse_openai_messages(view.at("conversation"), path.string() + ": conversation");
  text::set_media_root(result.conversation, media_root);
  // A case without the flag was made without the system prompt, whatever the flow's habit.
  result.request.add_system_prompt = view.boolean_or("add_system_prompt", false);
  result.request.add_generation_prompt = view.boolean_or("add_generation_prompt", true);
  if (view.has("logits_positions")) {
    const Json& positions = view.at("logits_positions");
    VL3_CHECK(positions.is_array(), kCorrupt, "{}: logits_positions must be a list", path.string());
    for (const Json& position : positions) {
      VL3_CHECK(position.is_number_integer(), kCorrupt, "{}: logits_positions must hold integers",
                path.string());
      result.trace.logits_positions.push_back(position.get<int64_t>());
    }
  }
  if (view.has("repetition_penalty")) {
    const JsonView penalty = view.object("repetition_penalty");
    result.trace.repetition_penalty = penalty.number("penalty");
    result.trace.penalise_prompt = penalty.boolean_or("prompt_ids_penalised", true);
  }
  return result;
}

TraceCase read_trace_messages(const std::filesystem::path& path, const std::filesystem::path& media_root) {
  TraceCase result;
  result.conversation = text::parse_openai_messages(read_json_file(path), path.string());
  text::set_media_root(result.conversation, media_root);
  return result;
}

}  // namespace vl3::engine
