// What the input says about a medium, to the members of an item: annotations, flat records, captions.
// Functions are free of shared state.
#pragma once

#include <string>

#include "curate/item.h"

namespace vl3::curate {

/// The longest annotation taken, in bytes: rows and blocks of items stay small.
inline constexpr uint64_t kMaxAnnotation = 2u << 20;

enum class MediumIs {
  kNamed,   ///< by the annotation
  kBeside,  ///< a sidecar's file, a tar's member: names in the annotation mean nothing
};

/// Official annotations, messages and flat records to an item; `reason` says what is wrong with one that is
/// none of them.
/// @param line  one JSON object.
void read_annotation(const std::string& line, const InputConfig& input, Item* item,
                     MediumIs medium = MediumIs::kNamed);

/// A caption out of a file of its own. Where it is not UTF-8 the item keeps the caption it has, and `detail`
/// says so.
/// @param name  of the file, for that.
void read_caption_text(const std::string& text, const std::string& name, Item* item);

/// Appends to what `item->detail` says already.
void add_detail(const std::string& text, Item* item);

}  // namespace vl3::curate
