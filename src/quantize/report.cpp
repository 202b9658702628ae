#include "quantize/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace vl3::quantize {
namespace {

OrderedJson loss_json(const Loss& loss) {
  return {{"mean_kl", loss.mean_kl},
          {"max_kl", loss.max_kl},
          {"greedy_agreement", loss.agreement},
          {"same_answers", loss.same_answers}};
}

// "model.language_model.layers.3.mlp.up_proj.weight" without its numbers: the kind of matrix.
std::string kind_of(const std::string& weight) {
  std::string kind;
  for (size_t i = 0; i < weight.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(weight[i])) && i > 0 && weight[i - 1] == '.') {
      kind += '*';
      while (i + 1 < weight.size() && weight[i + 1] != '.') ++i;
    } else {
      kind += weight[i];
    }
  }
  return kind.substr(0, kind.size() - std::string(".weight").size());
}

std::string bits_text(const weights::QuantScheme& scheme) {
  return scheme.bits == 8 ? "int8" : fmt::format("int4/{}", scheme.group);
}

struct Kind {
  std::string name, bits;
  std::map<std::string, int> roundings = {};
  double weight = 0, output = 0, rounded = 0;  // worst of the layers
};

}  // namespace

OrderedJson to_json(const Report& report) {
  OrderedJson json = {{"format_version", 1},
                      {"model", report.model},
                      {"vision_bits", report.options.bits.vision},
                      {"lm_bits", report.options.bits.lm},
                      {"group", report.options.bits.group},
                      {"bytes_before", report.bytes_before},
                      {"bytes_after", report.bytes_after},
                      {"calibration_samples", report.calibration_samples},
                      {"measured_samples", report.measured_samples},
                      {"measured_positions", report.measured_positions},
                      {"limits",
                       {{"max_mean_kl", report.options.max_kl},
                        {"min_greedy_agreement", report.options.min_agreement},
                        {"within", report.within_limits()},
                        {"forced", report.options.force}}}};
  for (const PartVerdict& part : report.parts)
    json["parts"][part.part] = {{"weights_only", loss_json(part.weights)}, {"as_run", loss_json(part.all)}};
  json["modules"] = OrderedJson::array();
  for (const ModuleVerdict& verdict : report.modules) {
    OrderedJson own = {{"weight", verdict.module.weight},    {"part", part_name(verdict.module.part)},
                       {"bits", verdict.module.scheme.bits}, {"group", verdict.module.scheme.group},
                       {"rounding", verdict.rounding},       {"weight_error", verdict.weight_error}};
    if (verdict.module.multiplied) {
      own["output_error"] = verdict.output_error;
      own["output_error_rounded_inputs"] = verdict.output_error_rounded_inputs;
    }
    own["tried"] = verdict.tried;
    json["modules"].push_back(std::move(own));
  }
  return json;
}

std::string table_of(const Report& report) {
  std::string out = fmt::format("{:<12}{:>12}{:>12}{:>12}{:>12}{:>12}\n", "part", "KL weights", "KL as run",
                                "KL worst", "agreement", "answers");
  for (const PartVerdict& part : report.parts) {
    out += fmt::format("{:<12}{:>12.2e}{:>12.2e}{:>12.2e}{:>11.1f}%{:>12}\n", part.part, part.weights.mean_kl,
                       part.all.mean_kl, part.all.max_kl, 100 * part.all.agreement,
                       fmt::format("{}/{}", part.all.same_answers, report.measured_samples));
  }
  std::vector<Kind> kinds;
  for (const ModuleVerdict& verdict : report.modules) {
    const std::string name = kind_of(verdict.module.weight);
    auto kind = std::ranges::find(kinds, name, &Kind::name);
    if (kind == kinds.end())
      kind = kinds.insert(kind, {.name = name, .bits = bits_text(verdict.module.scheme)});
    ++kind->roundings[verdict.rounding];
    kind->weight = std::max(kind->weight, verdict.weight_error);
    kind->output = std::max(kind->output, verdict.output_error);
    kind->rounded = std::max(kind->rounded, verdict.output_error_rounded_inputs);
  }
  out += fmt::format("\n{:<56}{:>9}{:>9}{:>9}{:>9}  {}\n", "matrices (worst layer)", "bits", "weight",
                     "output", "inputs", "rounding");
  for (const Kind& kind : kinds) {
    std::vector<std::string> roundings;
    for (const auto& [name, count] : kind.roundings) roundings.push_back(fmt::format("{} {}", count, name));
    const auto percent = [](double error) { return error > 0 ? fmt::format("{:.2f}%", 100 * error) : "-"; };
    out += fmt::format("{:<56}{:>9}{:>9}{:>9}{:>9}  {}\n", kind.name, kind.bits, percent(kind.weight),
                       percent(kind.output), percent(kind.rounded), fmt::join(roundings, ", "));
  }
  return out;
}

}  // namespace vl3::quantize
