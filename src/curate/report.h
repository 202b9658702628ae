// report.html: one file that works offline. Stateless.
#pragma once

#include <string>

#include "curate/report_data.h"

namespace vl3::curate {

/// Funnel, new captions, duplicates, histograms with their thresholds, clusters before and after, samples of
/// each reason as small pictures inside the file. Text from outside is only ever set as text by the page's
/// script, never as markup.
/// @param seconds  of the run's steps, for the footer; may be empty.
std::string report_html(const ReportData& data, const ItemSource& source, const CurateConfig& config,
                        const Selection& selection, const OrderedJson& seconds);

}  // namespace vl3::curate
