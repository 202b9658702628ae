#include "data/mixture_stream.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "data/random.h"

namespace vl3::data {
namespace {

constexpr double kMaxWeight = 1000;
constexpr double kMaxEpochs = 1e6;
constexpr int64_t kMaxEmptyEpochs = 100'000;
constexpr uint64_t kMixKey = 0x6d6978;     // "mix"
constexpr uint64_t kSampleKey = 0x736d70;  // "smp"

}  // namespace

MixtureStream::MixtureStream(std::vector<std::shared_ptr<const RecordList>> lists,
                             std::vector<double> weights, uint64_t seed, double epochs)
    : lists_(std::move(lists)), weights_(std::move(weights)), seed_(seed) {
  VL3_CHECK(!lists_.empty() && lists_.size() == weights_.size(), kInvalidArgument,
            "{} lists of data with {} weights", lists_.size(), weights_.size());
  for (size_t i = 0; i < weights_.size(); ++i) {
    VL3_CHECK(weights_[i] > 0 && weights_[i] <= kMaxWeight, kInvalidArgument,
              "data source {}: weight is {}; it must be above 0, at most {}", i, weights_[i], kMaxWeight);
  }
  VL3_CHECK(epochs >= 0 && epochs <= kMaxEpochs, kInvalidArgument, "{} epochs; it must be 0..{}", epochs,
            kMaxEpochs);
  constexpr double kMostRecords = 1e15;  // numbers that a double counts exactly, and sums of them
  VL3_CHECK(
      records_per_epoch() * std::max(epochs, 1.0) <= kMostRecords, kInvalidArgument,
      "the data has {:.3g} records in {} epochs; at most {:.0g} can be counted: lower weights or epochs",
      records_per_epoch() * std::max(epochs, 1.0), std::max(epochs, 1.0), kMostRecords);
  const double whole = std::floor(epochs);
  for (size_t i = 0; i < lists_.size(); ++i) total_ += taken_before(i, static_cast<int64_t>(whole));
  total_ += static_cast<int64_t>(
      std::ceil((epochs - whole) * static_cast<double>(records_of_epoch(static_cast<int64_t>(whole)))));
  begin_epoch(0);
}

int64_t MixtureStream::taken_before(size_t list, int64_t epoch) const {
  return static_cast<int64_t>(
      std::floor(static_cast<long double>(epoch) * static_cast<long double>(weights_[list]) *
                 static_cast<long double>(lists_[list]->size())));
}

int64_t MixtureStream::records_of_epoch(int64_t epoch) const {
  int64_t records = 0;
  for (size_t i = 0; i < lists_.size(); ++i) records += taken_before(i, epoch + 1) - taken_before(i, epoch);
  return records;
}

double MixtureStream::records_per_epoch() const {
  double records = 0;
  for (size_t i = 0; i < lists_.size(); ++i) records += weights_[i] * static_cast<double>(lists_[i]->size());
  return records;
}

void MixtureStream::begin_epoch(int64_t epoch) {
  epoch_ = epoch;
  in_epoch_ = 0;
  given_.assign(lists_.size(), 0);
  ends_.clear();
  int64_t end = 0;
  for (size_t i = 0; i < lists_.size(); ++i) {
    end += taken_before(i, epoch + 1) - taken_before(i, epoch);
    ends_.push_back(end);
  }
}

std::optional<Record> MixtureStream::next() {
  if (total_ > 0 && position_ >= total_) return std::nullopt;
  for (int64_t empty = 0; in_epoch_ == ends_.back(); ++empty) {
    VL3_CHECK(empty < kMaxEmptyEpochs, kInvalidArgument,
              "the weights of the data are so small that epochs are empty");
    begin_epoch(epoch_ + 1);
  }
  const Permutation mixing(ends_.back(), mix({seed_, kMixKey, static_cast<uint64_t>(epoch_)}));
  const auto list = static_cast<size_t>(std::ranges::upper_bound(ends_, mixing(in_epoch_)) - ends_.begin());
  const int64_t at = taken_before(list, epoch_) + given_[list];
  const int64_t size = lists_[list]->size();
  Record record = lists_[list]->record(lists_[list]->order(seed_, at / size, at % size));
  record.position = position_;
  record.seed = mix({seed_, kSampleKey, static_cast<uint64_t>(position_)});
  ++given_[list];
  ++in_epoch_;
  ++position_;
  return record;
}

Json MixtureStream::state() const {
  Json fingerprints = Json::array();
  for (const auto& list : lists_) fingerprints.push_back(list->fingerprint());
  return {{"seed", seed_},   {"epoch", epoch_},     {"in_epoch", in_epoch_}, {"position", position_},
          {"given", given_}, {"weights", weights_}, {"lists", fingerprints}};
}

void MixtureStream::restore(const Json& state) {
  const JsonView view(state, "the state of the data");
  const Json own = this->state();
  for (const char* key : {"seed", "weights", "lists"}) {
    VL3_CHECK(
        view.at(key) == own.at(key), kInvalidArgument,
        "the run to go on with had other data: \"{}\" was {}, now it is {}; give it the same, or start anew",
        key, view.at(key).dump(), own.at(key).dump());
  }
  begin_epoch(view.integer("epoch", 0));
  in_epoch_ = view.integer("in_epoch", 0, ends_.back());
  position_ = view.integer("position", 0);
  const Json& given = view.at("given");
  VL3_CHECK(given.is_array() && given.size() == lists_.size(), kCorrupt,
            "{}: \"given\" does not fit {} lists", view.where(), lists_.size());
  for (size_t i = 0; i < given_.size(); ++i) {
    VL3_CHECK(given[i].is_number_unsigned(), kCorrupt, "{}: \"given\" holds {}", view.where(),
              given[i].dump());
    given_[i] = given[i].get<int64_t>();
  }
}

std::unique_ptr<MixtureStream> open_mixture(const DataConfig& config, uint64_t seed, double epochs) {
  std::vector<std::shared_ptr<const RecordList>> lists;
  std::vector<double> weights;
  for (const DataSource& source : config.sources) {
    lists.push_back(open_record_list(source, static_cast<int64_t>(lists.size()), config.shuffle_window));
    weights.push_back(source.weight);
  }
  return std::make_unique<MixtureStream>(std::move(lists), std::move(weights), seed, epochs);
}

}  // namespace vl3::data
