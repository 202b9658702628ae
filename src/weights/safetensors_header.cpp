#include "weights/safetensors_header.h"

#include <set>

#include "core/check.h"
#include "core/json.h"
#include "weights/safetensors.h"

namespace vl3::weights {
namespace {

// {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {"key": "text"}}
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}
  RawHeader header;

  bool start_object(std::size_t) override {
    if (depth_ == 0) return enter();
    VL3_CHECK(depth_ == 1, kCorrupt, "{}: {} is an object", where(), field_);
    if (!in_metadata_) header.tensors.push_back({.name = name_});
    VL3_CHECK(header.tensors.size() <= kMaxSafetensorsTensors, kCorrupt, "{}: more than {} tensors", file_,
              kMaxSafetensorsTensors);
    return enter();
  }
  bool end_object() override { return leave(); }

  bool key(string_t& key) override {
    if (depth_ == 1) {
      VL3_CHECK(names_.insert(key).second, kCorrupt, "{}: \"{:.100}\" is given twice in the header", file_,
                key);
      name_ = key;
      in_metadata_ = key == "__metadata__";
    } else {
      VL3_CHECK(in_metadata_ || key == "dtype" || key == "shape" || key == "data_offsets", kCorrupt,
                "{}: unknown key \"{:.60}\"", where(), key);
      field_ = key;
      VL3_CHECK(!given(), kCorrupt, "{}: \"{:.100}\" is given twice", where(), key);
    }
    return true;
  }

  bool start_array(std::size_t) override {
    std::optional<std::vector<uint64_t>>* list = list_field();
    if (list == nullptr || depth_ != 2) return wrong("a list");
    list->emplace();
    return enter();
  }
  bool end_array() override { return leave(); }

  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_) {
      header.metadata.emplace(field_, value);
      return true;
    }
    if (depth_ == 2 && field_ == "dtype") {
      header.tensors.back().dtype = value;
      return true;
    }
    return wrong(fmt::format("\"{:.60}\"", value));
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ != 3) return wrong(fmt::format("{}", value));
    VL3_CHECK(value <= INT64_MAX, kCorrupt, "{}: {} holds {}, which is too large", where(), field_, value);
    std::vector<uint64_t>& list = **list_field();
    list.push_back(value);
    VL3_CHECK(field_ != "shape" || list.size() <= kMaxTensorRank, kCorrupt, "{}: more than {} dimensions",
              where(), kMaxTensorRank);
    VL3_CHECK(field_ != "data_offsets" || list.size() <= 2, kCorrupt,
              "{}: data_offsets has more than 2 numbers", where());
    return true;
  }
  bool number_integer(number_integer_t value) override {
    VL3_CHECK(depth_ != 3, kCorrupt, "{}: {} holds {}, which is negative", where(), field_, value);
    return wrong(fmt::format("{}", value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return wrong(fmt::format("{:.60}", text));
  }
  bool null() override { return wrong("null"); }
  bool boolean(bool value) override { return wrong(value ? "true" : "false"); }
  bool binary(binary_t&) override { return wrong("binary data"); }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    std::string reason = e.what();
    if (const size_t end = reason.find("] "); end != std::string::npos) reason = reason.substr(end + 2);
    VL3_FAIL(kCorrupt, "{}: header is not valid JSON: {:.200}", file_, reason);
  }

 private:
  bool enter() {
    ++depth_;
    if (depth_ == 2) fields_.clear();
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }

  std::string where() const {
    return depth_ == 0 ? file_ : fmt::format("{}: tensor \"{:.100}\"", file_, name_);
  }

  // Whether `field_` has a value already in the object being read.
  bool given() { return !fields_.insert(field_).second; }

  std::optional<std::vector<uint64_t>>* list_field() {
    if (depth_ < 2 || in_metadata_) return nullptr;
    RawTensor& tensor = header.tensors.back();
    return field_ == "shape" ? &tensor.shape : field_ == "data_offsets" ? &tensor.data_offsets : nullptr;
  }

  // A value of the wrong type at this place.
  bool wrong(const std::string& found) const {
    VL3_CHECK(depth_ > 0, kCorrupt, "{}: header is {}, not an object", file_, found);
    if (in_metadata_) {
      VL3_CHECK(depth_ > 1, kCorrupt, "{}: __metadata__ is {}, not an object", file_, found);
      VL3_FAIL(kCorrupt, "{}: __metadata__ \"{:.60}\" is {}, not a string", file_, field_, found);
    }
    VL3_CHECK(depth_ > 1, kCorrupt, "{}: not described by an object but {}", where(), found);
    VL3_CHECK(depth_ < 3, kCorrupt, "{}: {} holds {}, not an integer", where(), field_, found);
    VL3_FAIL(kCorrupt, "{}: {} is {}, not a {}", where(), field_, found,
             field_ == "dtype" ? "string" : "list");
  }

  const std::string& file_;
  int depth_ = 0;  // 1: among the names; 2: inside a tensor or the metadata; 3: inside shape or data_offsets
  bool in_metadata_ = false;
  std::string name_, field_;
  std::set<std::string> names_, fields_;
};

}  // namespace

RawHeader parse_safetensors_header(std::string_view text, const std::string& file) {
  VL3_CHECK(!text.empty() && text.front() == '{', kCorrupt, "{}: header does not begin with {{", file);
  // The parser would take a NUL for the end and pass over what follows.
  VL3_CHECK(text.find('\0') == std::string_view::npos, kCorrupt,
            "{}: header is not valid JSON: a NUL byte in it", file);
  HeaderReader reader(file);
  Json::sax_parse(text, &reader);
  return std::move(reader.header);
}

}  // namespace vl3::weights
