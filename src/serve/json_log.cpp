#include "serve/json_log.h"

#include <fmt/chrono.h>
#include <spdlog/formatter.h>

#include <chrono>

#include "core/json.h"
#include "core/log.h"

namespace vl3::serve {
namespace {

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto time = std::chrono::time_point_cast<std::chrono::milliseconds>(message.time);
    const auto ms = time.time_since_epoch().count() % 1000;
    OrderedJson line = {{"time", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                                             fmt::gmtime(std::chrono::system_clock::to_time_t(time)), ms)},
                        {"level", std::string(spdlog::level::to_string_view(message.level).data())}};
    const std::string text(message.payload.data(), message.payload.size());
    const OrderedJson fields =
        text.starts_with('{') ? OrderedJson::parse(text, nullptr, false) : OrderedJson();
    if (fields.is_object()) {
      line.update(fields);
    } else {
      line["event"] = "message";
      line["message"] = text;
    }
    const std::string written = line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
    out.append(written.data(), written.data() + written.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

}  // namespace

void log_as_json() { logger().set_formatter(std::make_unique<JsonFormatter>()); }

}  // namespace vl3::serve
