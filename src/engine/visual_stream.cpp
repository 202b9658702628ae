#include "engine/visual_stream.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>

#include "core/check.h"
#include "core/freed_memory.h"
#include "core/seconds.h"
#include "engine/frame_pixels.h"

namespace vl3::engine {
namespace {

constexpr size_t kQueueBytes = 16u << 20;
constexpr std::chrono::milliseconds kReport{100};

class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() { seconds_ += seconds_since(start_); }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace

VisualStream::VisualStream(const VideoLlama3Impl& model, const weights::PreprocessConfig& config,
                           std::vector<VisualInput> inputs, at::Device device,
                           at::ScalarType activation_dtype, VisualObserver observer,
                           std::function<void(int64_t)> waiting, std::function<void()> arrived,
                           int64_t batch_patches)
    : model_(model),
      config_(config),
      table_(preprocess::make_normalise_table(config)),
      inputs_(std::move(inputs)),
      device_(device),
      activation_dtype_(activation_dtype),
      observer_(std::move(observer)),
      waiting_(std::move(waiting)),
      arrived_(std::move(arrived)),
      batch_patches_(batch_patches),
      worker_([this] { work(); }) {}

VisualStream::~VisualStream() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

bool VisualStream::push(Prepared item) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopping_ || queue_.empty() || queued_bytes_ < kQueueBytes; });
  if (stopping_) return false;
  queued_bytes_ += item.patches.size();
  queue_.push_back(std::move(item));
  lock.unlock();
  changed_.notify_all();
  if (arrived_) arrived_();
  return true;
}

void VisualStream::work() {
  try {
    for (size_t m = 0; m < inputs_.size(); ++m) {
      const VisualInput& input = inputs_[m];
      const bool image = input.plan.shape.kind == preprocess::MediaKind::kImage;
      double decode = 0, prepare = 0;
      media::FrameSource source;
      {
        const Stopwatch watch(decode);
        source = input.open();
      }
      preprocess::TokenPruner pruner(config_, input.plan.merge, input.plan.tokens_per_frame, input.prune);
      std::vector<uint8_t> before;
      int64_t frame = 0;
      for (; frame < input.plan.grid.t; ++frame) {
        std::optional<media::Frame> picture;
        {
          const Stopwatch watch(decode);
          picture = source();
        }
        if (!picture) break;
        Prepared item{.medium = m, .frame = frame};
        {
          const Stopwatch watch(prepare);
          preprocess::PatchBatch batch =
              preprocess::make_patch_batch(input.plan.size, config_.patch_size, input.plan.merge);
          preprocess::append_frame(batch, picture->rgb, {picture->height, picture->width});
          if (image) {
            item.mask.assign(static_cast<size_t>(input.plan.tokens_per_frame), 1);
          } else {
            const auto mask = pruner.next(batch.patches_u8);
            item.mask.assign(mask.begin(), mask.end());
          }
          item.same = !observer_ && frame > 0 && batch.patches_u8 == before;
          if (!item.same) {
            if (frame + 1 < input.plan.grid.t) before = batch.patches_u8;
            item.patches = std::move(batch.patches_u8);
          }
        }
        {
          const std::lock_guard lock(mutex_);
          seconds_.decode += std::exchange(decode, 0.0);
          seconds_.preprocess += std::exchange(prepare, 0.0);
          ++decoded_;
        }
        if (!push(std::move(item))) return;
      }
      if (frame < input.plan.grid.t && !push({.medium = m, .frame = frame, .end = true})) return;
    }
  } catch (...) {
    {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
    }
    changed_.notify_all();
    if (arrived_) arrived_();
  }
}

size_t VisualStream::batch_limit(size_t medium) const {
  const preprocess::MediumPlan& plan = inputs_[medium].plan;
  return static_cast<size_t>(std::max<int64_t>(1, batch_patches_ / (plan.grid.h * plan.grid.w)));
}

// The frames that one pass of the encoder takes have all been handed over, or the reader cannot go on before
// some are taken.
bool VisualStream::batch_is_whole() const {
  if (failure_) return true;
  if (queue_.empty()) return false;
  const Prepared& first = queue_.front();
  const size_t limit = batch_limit(first.medium);
  size_t frames = 0;
  for (const Prepared& item : queue_) {
    if (item.medium != first.medium || item.end) return true;
    if (++frames == limit || item.frame + 1 == inputs_[item.medium].plan.grid.t) return true;
  }
  return queued_bytes_ >= kQueueBytes;
}

VisualStream::Next VisualStream::what_next() const {
  if (!ready_.empty()) return Next::kGives;
  const std::lock_guard lock(mutex_);
  return batch_is_whole() ? Next::kEncodes : Next::kWaits;
}

void VisualStream::wait_for_batch(std::unique_lock<std::mutex>& lock) {
  const auto ready = [&] { return batch_is_whole(); };
  while (!changed_.wait_for(lock, kReport, ready)) {
    if (!waiting_) continue;
    const int64_t decoded = decoded_;
    lock.unlock();
    waiting_(decoded);
    lock.lock();
  }
}

void VisualStream::encode_batch() {
  std::vector<Prepared> batch;
  {
    std::unique_lock lock(mutex_);
    wait_for_batch(lock);
    if (queue_.empty()) std::rethrow_exception(failure_);
    const size_t limit = batch_limit(queue_.front().medium);
    while (!queue_.empty() && batch.size() < limit) {
      if (!batch.empty() && queue_.front().medium != batch.front().medium) break;
      if (queue_.front().end) {
        if (!batch.empty()) break;
        queue_.pop_front();
        ready_.push_back(std::nullopt);
        return;
      }
      queued_bytes_ -= queue_.front().patches.size();
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
  }
  changed_.notify_all();

  return_freed_memory();  // encoder and decoder, which take turns, want blocks of other sizes
  double seconds = 0;
  {
    const Stopwatch watch(seconds);
    const c10::NoGradGuard no_grad;
    const preprocess::MediumPlan& plan = inputs_[batch.front().medium].plan;
    const int64_t N = plan.grid.h * plan.grid.w, C = 3 * config_.patch_size * config_.patch_size;
    const int64_t M = plan.tokens_per_frame;
    std::vector<std::span<const uint8_t>> frames;
    for (const Prepared& item : batch) {
      if (!item.same) frames.emplace_back(item.patches);
    }
    const auto T = static_cast<int64_t>(frames.size());
    const auto observe = [&](const char* name, const at::Tensor& tensor) {
      if (observer_) observer_(name, batch.front().medium, batch.front().frame, tensor);
    };
    at::Tensor pixels = T > 0 ? frame_pixels(frames, table_, config_.patch_size) : at::Tensor();
    if (observer_) {
      at::Tensor bytes = at::empty({T, N, C}, at::kByte);
      for (int64_t t = 0; t < T; ++t) {
        std::copy(batch[t].patches.begin(), batch[t].patches.end(), bytes.data_ptr<uint8_t>() + t * N * C);
      }
      observe("patches_u8", bytes);
      observe("pixel_values", pixels);
    }
    vision::Observer inner;
    if (observer_) {
      inner = [&](const char* name, const at::Tensor& x) {
        observe((std::string("vision.") + name).c_str(), x.clone());
      };
    }
    for (Prepared& item : batch) item.patches = {};
    at::Tensor encoded;
    if (T > 0) {
      pixels = pixels.to(device_, activation_dtype_);
      encoded = model_.vision_model->forward(std::move(pixels), plan.grid.h, plan.grid.w, plan.merge, inner);
      encoded_ += T;
    }
    if (batch.front().same) encoded = T > 0 ? at::cat({last_encoded_1MD_, encoded}) : last_encoded_1MD_;
    observe("vision.encoder_out", encoded);
    // Only kept tokens are projected, unless somebody wants to see all of them.
    const at::Tensor all = observer_ ? model_.projector->forward(encoded) : at::Tensor();
    observe("projector.out", all);
    std::vector<int64_t> kept;  // rows of `encoded`, which has as many frames as there are different ones
    int64_t source = -1;
    for (const Prepared& item : batch) {
      source += item.same && source >= 0 ? 0 : 1;
      for (int64_t k = 0; k < M; ++k) {
        if (item.mask[static_cast<size_t>(k)] == 1) kept.push_back(source * M + k);
      }
    }
    const at::Tensor rows = (all.defined() ? all : encoded)
                                .flatten(0, 1)
                                .index_select(0, at::tensor(kept, at::kLong).to(device_));
    const at::Tensor features = all.defined() ? rows : model_.projector->forward(rows);
    last_encoded_1MD_.reset();
    if (batch.back().frame + 1 < plan.grid.t) last_encoded_1MD_ = encoded.narrow(0, source, 1).clone();
    int64_t first = 0;
    for (Prepared& item : batch) {
      const auto count = static_cast<int64_t>(std::count(item.mask.begin(), item.mask.end(), uint8_t{1}));
      ready_.push_back(FrameFeatures{item.medium, item.frame, std::move(item.mask), count,
                                     features.narrow(0, first, count)});
      first += count;
    }
  }
  return_freed_memory();
  const std::lock_guard lock(mutex_);
  seconds_.encode += seconds;
}

std::optional<FrameFeatures> VisualStream::next() {
  while (ready_.empty()) encode_batch();
  std::optional<FrameFeatures> result = std::move(ready_.front());
  ready_.pop_front();
  return result;
}

VisualSeconds VisualStream::seconds() const {
  const std::lock_guard lock(mutex_);
  return seconds_;
}

}  // namespace vl3::engine
