// `vl3 serve`: engine, media worker, endpoints and sockets put together, and run until a signal ends them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "serve/app.h"
#include "serve/batch/batch_engine.h"
#include "serve/http/server.h"
#include "serve/media/media_resolver.h"

namespace vl3::serve {

struct ServeOptions {
  HttpServerOptions http;
  AppOptions app;
  MediaPolicy media;
  MediaWorkerOptions worker;
  BatchOptions batch;
  double shutdown_timeout_s = 60;  ///< running answers get so long to end
};

/// SIGINT or SIGTERM: no new requests, running answers finish, then it returns. A second one: at once.
/// @param ready  told the port that is listened on.
/// @throws Error for options that cannot be used.
void run_server(std::shared_ptr<const engine::Runtime> runtime, ServeOptions options,
                const std::function<void(uint16_t port)>& ready);

}  // namespace vl3::serve
