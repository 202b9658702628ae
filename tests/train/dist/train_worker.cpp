// One process of the several that process_group_test starts: trains 20 steps on its share of the global
// batch. usage: vl3_train_worker MODEL OUT [DTYPE [FAIL]]   with torchrun's variables in the environment.
// FAIL: "row", process 1 has a row that cannot be trained on in its third step; "pending", it fails while a
// collective is in flight.
#include <cstdio>
#include <fstream>

#include "train/random_model.h"
#include "train/train_step.h"

namespace {

using namespace vl3;

void fail_with_a_collective_in_flight(train::Collective& collective) {
  const auto pending = collective.reduce_scatter_sum(at::ones({collective.world_size() << 20}));
  VL3_CHECK(collective.rank() != 1, kCorrupt, "process 1 fails");
  pending->wait();
  collective.barrier();
}

}  // namespace

int main(int argc, char** argv) {
  std::unique_ptr<train::Collective> collective;
  try {
    VL3_CHECK(argc >= 3, kInvalidArgument, "usage: vl3_train_worker MODEL OUT [DTYPE]");
    collective = train::join_processes(at::kCPU);
    const std::string fail = argc > 4 ? argv[4] : "";
    if (fail == "pending") fail_with_a_collective_in_flight(*collective);
    const std::filesystem::path model = argv[1];
    const auto checkpoint = std::make_shared<const weights::Checkpoint>(
        weights::Checkpoint::open(model, weights::load_model_config(model)));
    train::TrainConfig config;
    config.dtype = argc > 3 ? argv[3] : "float32";
    config.lr = {.llm_lr = 2e-3, .mm_projector_lr = 2e-3, .vision_encoder_lr = 1e-3};
    config.optim.max_grad_norm = 1.0;
    config.loss_vocab_tile = 40;
    train::TrainStep step(checkpoint, config, 20, at::kCPU, *collective);
    std::ofstream out;
    if (collective->rank() == 0) out.open(argv[2]);
    out.precision(17);
    for (uint64_t i = 0; i < 20; ++i) {
      std::vector<data::PackedRow> rows;
      // Four rows a step; in one step the last three are text, so that some processes see no picture at all.
      for (int64_t r = collective->rank(); r < 4; r += collective->world_size())
        rows.push_back(test::random_row(i * 10 + static_cast<uint64_t>(r), i == 7 && r > 0));
      if (fail == "row" && i == 2 && collective->rank() == 1) rows.back().input_ids.back() = 1'000'000;
      const auto log = step.step(rows);
      out << log.loss << " " << log.grad_norm << "\n";
    }
    double sum = 0;
    for (const train::LazyTensor& tensor : step.state()) {
      const at::Tensor values = tensor.get();
      if (tensor.name != "step") sum += values.to(at::kDouble).abs().sum().item<double>();
    }
    out << sum << " " << step.memory().optimizer_bytes << "\n";
    collective->barrier();
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", collective ? collective->fail(error).what() : error.what());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vl3_train_worker: %s\n", error.what());
    return 1;
  }
}
