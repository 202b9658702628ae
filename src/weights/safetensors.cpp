#include "weights/safetensors.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <tuple>

#include "core/check.h"
#include "weights/safetensors_header.h"

namespace vl3::weights {
namespace {

struct Entry {
  std::string name;
  TensorView view;
  uint64_t begin = 0;
  uint64_t end = 0;
};

Entry checked(RawTensor raw, uint64_t data_size, const std::string& file) {
  const std::string where = fmt::format("{}: tensor \"{:.100}\"", file, raw.name);
  VL3_CHECK(raw.dtype.has_value(), kCorrupt, "{}: dtype is missing", where);
  VL3_CHECK(raw.shape.has_value(), kCorrupt, "{}: shape is missing", where);
  VL3_CHECK(raw.data_offsets.has_value(), kCorrupt, "{}: data_offsets is missing", where);
  VL3_CHECK(raw.data_offsets->size() == 2, kCorrupt, "{}: data_offsets has {} numbers, not 2", where,
            raw.data_offsets->size());
  const auto dtype = parse_dtype(*raw.dtype);
  VL3_CHECK(dtype.has_value(), kUnsupported, "{}: dtype \"{:.60}\" is not known", where, *raw.dtype);
  const std::string type = fmt::format("{} [{}]", dtype_name(*dtype), fmt::join(*raw.shape, ", "));
  uint64_t bytes = static_cast<uint64_t>(dtype_size(*dtype));
  for (const uint64_t dimension : *raw.shape) {
    VL3_CHECK(!__builtin_mul_overflow(bytes, dimension, &bytes), kCorrupt, "{}: {} overflows 64 bits", where,
              type);
  }
  const uint64_t begin = (*raw.data_offsets)[0], end = (*raw.data_offsets)[1];
  VL3_CHECK(begin <= end, kCorrupt, "{}: data_offsets [{}, {}] end before they begin", where, begin, end);
  VL3_CHECK(end <= data_size, kCorrupt,
            "{}: data_offsets [{}, {}] pass the end of the data, {} bytes; the file may be cut short", where,
            begin, end, data_size);
  VL3_CHECK(end - begin == bytes, kCorrupt, "{}: {} bytes of data, but {} takes {}", where, end - begin, type,
            bytes);
  TensorView view{.dtype = *dtype, .shape = {raw.shape->begin(), raw.shape->end()}, .size_bytes = bytes};
  return {.name = std::move(raw.name), .view = std::move(view), .begin = begin, .end = end};
}

void advise(std::span<const std::byte> mapped, bool will_need) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  auto begin = reinterpret_cast<uintptr_t>(mapped.data());
  uintptr_t end = begin + mapped.size();
  // Dropped pages must be wholly inside; wanted ones may reach into the neighbours.
  begin = (will_need ? begin : begin + page - 1) / page * page;
  if (!will_need) end = end / page * page;
  if (begin >= end) return;
  (void)::madvise(reinterpret_cast<void*>(begin), end - begin, will_need ? MADV_WILLNEED : MADV_DONTNEED);
}

}  // namespace

void advise_dont_need(std::span<const std::byte> mapped) { advise(mapped, false); }

void advise_will_need(std::span<const std::byte> mapped) { advise(mapped, true); }

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path), map_(path) {
  const std::string file = path.string();
  VL3_CHECK(map_.size() >= 8, kCorrupt, "{}: {} bytes, too short for a safetensors file", file, map_.size());
  uint64_t header_size = 0;
  for (int i = 7; i >= 0; --i) header_size = header_size << 8 | std::to_integer<uint64_t>(map_.data()[i]);
  VL3_CHECK(header_size <= kMaxSafetensorsHeaderBytes, kCorrupt,
            "{}: header of {} bytes, at most {} are allowed", file, header_size, kMaxSafetensorsHeaderBytes);
  VL3_CHECK(header_size <= map_.size() - 8, kCorrupt,
            "{}: header of {} bytes in a file of {}; the file may be cut short", file, header_size,
            map_.size());
  const std::string_view text(reinterpret_cast<const char*>(map_.data()) + 8, header_size);
  RawHeader header = parse_safetensors_header(text, file);
  metadata_ = std::move(header.metadata);

  const std::byte* data = map_.data() + 8 + header_size;
  const uint64_t data_size = map_.size() - 8 - header_size;
  std::vector<Entry> entries;
  entries.reserve(header.tensors.size());
  for (RawTensor& raw : header.tensors) {
    entries.push_back(checked(std::move(raw), data_size, file));
    entries.back().view.data = data + entries.back().begin;
  }
  // The format wants the data covered exactly once: bytes outside every tensor could hide another file.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (Entry& entry : entries) {
    VL3_CHECK(entry.begin >= covered, kCorrupt,
              "{}: tensor \"{:.100}\" at byte {} overlaps the one before, up to {}", file, entry.name,
              entry.begin, covered);
    VL3_CHECK(entry.begin == covered, kCorrupt, "{}: {} bytes before tensor \"{:.100}\" belong to no tensor",
              file, entry.begin - covered, entry.name);
    covered = entry.end;
    tensors_.emplace(std::move(entry.name), std::move(entry.view));
  }
  VL3_CHECK(covered == data_size, kCorrupt, "{}: {} bytes after the last tensor belong to no tensor", file,
            data_size - covered);
}

const TensorView& SafetensorsFile::at(const std::string& name) const {
  const auto it = tensors_.find(name);
  VL3_CHECK(it != tensors_.end(), kNotFound, "{}: no tensor \"{:.100}\"", path_.string(), name);
  return it->second;
}

}  // namespace vl3::weights
