#include "weights/quantization_config.h"

#include "core/check.h"

namespace vl3::weights {
namespace {

constexpr const char* kMethod = "compressed-tensors";
constexpr const char* kInt = "int-quantized";
constexpr const char* kPack = "pack-quantized";
constexpr const char* kMixed = "mixed-precision";

// Of the library whose format this is, when it was written down; readers only show it.
constexpr const char* kFormatVersion = "0.12.2";

const char* format_of(const QuantScheme& scheme) { return scheme.bits == 8 ? kInt : kPack; }

OrderedJson numbers(int bits, const char* strategy, const OrderedJson& group, bool dynamic) {
  return {{"actorder", nullptr},
          {"block_structure", nullptr},
          {"dynamic", dynamic},
          {"group_size", group},
          {"num_bits", bits},
          {"observer", dynamic ? OrderedJson(nullptr) : OrderedJson("minmax")},
          {"observer_kwargs", OrderedJson::object()},
          {"strategy", strategy},
          {"symmetric", true},
          {"type", "int"}};
}

void expect(const JsonView& view, const std::string& key, const std::string& found,
            std::initializer_list<const char*> wanted) {
  for (const char* one : wanted) {
    if (found == one) return;
  }
  VL3_FAIL(kUnsupported, "{}: {} \"{:.60}\" is not supported, only {}", view.where(), key, found,
           fmt::join(wanted, ", "));
}

void check_integers(const JsonView& view) {
  expect(view, "type", view.string("type"), {"int"});
  VL3_CHECK(view.boolean_or("symmetric", true), kUnsupported, "{}: symmetric false is not supported",
            view.where());
  for (const char* key : {"actorder", "block_structure"}) {
    VL3_CHECK(!view.has(key), kUnsupported, "{}: {} is not supported, expected null", view.where(), key);
  }
}

void check_group(const JsonView& group) {
  VL3_CHECK(group.has("weights"), kUnsupported, "{}: a group without \"weights\" is not supported",
            group.where());
  const JsonView weights = group.object("weights");
  check_integers(weights);
  const int64_t bits = weights.integer("num_bits");
  VL3_CHECK(bits == 4 || bits == 8, kUnsupported, "{}: num_bits {} is not supported, only 4 and 8",
            weights.where(), bits);
  expect(weights, "strategy", weights.string("strategy"), {"channel", "group"});
  VL3_CHECK(!group.has("output_activations"), kUnsupported, "{}: output_activations are not supported",
            group.where());
  if (!group.has("input_activations")) return;
  const JsonView inputs = group.object("input_activations");
  check_integers(inputs);
  VL3_CHECK(inputs.integer("num_bits") == 8 && inputs.at("dynamic") == true, kUnsupported,
            "{}: only dynamic inputs of 8 bits are supported", inputs.where());
  expect(inputs, "strategy", inputs.string("strategy"), {"token"});
}

}  // namespace

OrderedJson make_quantization_config(const std::vector<QuantGroup>& groups) {
  OrderedJson out = {{"config_groups", OrderedJson::object()}};
  std::string format;
  for (size_t i = 0; i < groups.size(); ++i) {
    const QuantGroup& group = groups[i];
    const bool by_group = group.scheme.group > 0;
    const std::string own = format_of(group.scheme);
    format = format.empty() || format == own ? own : kMixed;
    out["config_groups"][fmt::format("group_{}", i)] = {
        {"format", own},
        {"input_activations",
         group.dynamic_inputs ? numbers(8, "token", nullptr, true) : OrderedJson(nullptr)},
        {"output_activations", nullptr},
        {"targets", group.targets},
        {"weights", numbers(group.scheme.bits, by_group ? "group" : "channel",
                            by_group ? OrderedJson(group.scheme.group) : OrderedJson(nullptr), false)}};
  }
  out["format"] = format;
  out["global_compression_ratio"] = nullptr;
  out["ignore"] = OrderedJson::array();
  out["kv_cache_scheme"] = nullptr;
  out["quant_method"] = kMethod;
  out["quantization_status"] = "compressed";
  out["version"] = kFormatVersion;
  return out;
}

void check_quantization_config(const JsonView& section) {
  const std::string method = section.string("quant_method");
  VL3_CHECK(method == kMethod, kUnsupported, "{}: quant_method \"{:.60}\" is not supported, only \"{}\"",
            section.where(), method, kMethod);
  expect(section, "format", section.string("format"), {kInt, kPack, kMixed, "naive-quantized"});
  expect(section, "quantization_status", section.string_or("quantization_status", "compressed"),
         {"compressed"});
  for (const char* key : {"kv_cache_scheme", "sparsity_config", "transform_config"}) {
    VL3_CHECK(!section.has(key) || section.at(key).empty(), kUnsupported, "{}: {} is not supported",
              section.where(), key);
  }
  const JsonView groups = section.object("config_groups");
  VL3_CHECK(!groups.json().empty() && groups.json().size() <= 64, kCorrupt, "{}: {} groups, expected 1 to 64",
            groups.where(), groups.json().size());
  for (const auto& item : groups.json().items()) check_group(groups.object(item.key()));
}

}  // namespace vl3::weights
