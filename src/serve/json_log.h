// What a server logs, a JSON object a line.
#pragma once

namespace vl3::serve {

/// From now on every sink of logger() writes objects with "time" (UTC) and "level": a message that is an
/// object already keeps its fields, any other becomes {"event": "message", "message": …}.
void log_as_json();

}  // namespace vl3::serve
