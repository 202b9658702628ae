// report.html: one file that works offline. Stateless.
#pragma once

#include <string>

#include "curate/report_data.h"

namespace vl3::curate {

/// Funnel, histograms with their thresholds, samples of each reason as small pictures inside the file,
/// clusters before and after, captions. Text from outside is only ever set as text by the page's script,
/// never as markup.
/// @param seconds  of the run's steps, for the footer; may be empty.
std::string report_html(const ReportData& data, const ItemSource& source, const CurateConfig& config,
                        const Selection& selection, const OrderedJson& seconds);

}  // namespace vl3::curate
