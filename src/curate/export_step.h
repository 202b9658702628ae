// The last step: kept.jsonl and dropped.jsonl, in which every input item stands once, and the kept ones as
// training data. One thread.
#pragma once

#include <filesystem>

#include "curate/report_data.h"
#include "curate/select.h"
#include "curate/step_hooks.h"

namespace vl3::curate {

/// kept.jsonl: position, where, id, media, caption, captions made, scores, cluster. dropped.jsonl: the same
/// with `reason`, `detail` and, of duplicates, `duplicate_of`. train.jsonl: official annotations, names
/// relative to the data root (to the output's media/ folder for what came in tars). webdataset/00000.tar …:
/// medium, .txt and .json of each sample. An item that is kept but has no caption in the wanted form, or
/// whose medium cannot be put into a tar (gone since, too large), stands in kept.jsonl with `not_exported`.
/// @param folder  where all but media/ goes: a ResultStage's.
/// @throws Error(kResourceExhausted) for a full disk; Error(kCancelled); Error(kInternal) unless kept and
/// dropped make up all items.
ReportData export_items(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                        const Selection& selection, const std::filesystem::path& folder,
                        const StepHooks& hooks);

}  // namespace vl3::curate
