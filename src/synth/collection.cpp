#include "synth/collection.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/check.h"
#include "core/file.h"
#include "media/png_writer.h"
#include "synth/artefacts.h"
#include "synth/captions.h"
#include "synth/rng.h"
#include "weights/staged_folder.h"

namespace vl3::synth {
namespace fs = std::filesystem;
namespace {

constexpr double kRareShare = 0.01;

// What becomes of an item: its file and its line.
struct Made {
  std::string name;   // as the line has it
  std::string bytes;  // of the file; empty with `no_file`
  std::string caption;
  std::string line;  // in place of the ordinary one
  std::string how;   // which variant of the fault
  bool no_file = false;
};

SynthOptions scene_options(uint64_t seed) {
  SynthOptions options;
  options.seed = seed;
  options.questions_per_medium = 1;
  options.min_side = 192;  // aspect ratios stay below 2.4
  options.max_side = 448;
  options.mixture = {{"scene.describe", {}, 1}};
  return options;
}

SynthOptions rare_options(uint64_t seed) {
  SynthOptions options = scene_options(seed);
  options.mixture = {{"chart", {}, 1}, {"document", {}, 1}};
  return options;
}

media::Frame resized(const media::Frame& in, int height, int width) {  // bilinear
  media::Frame out;
  out.height = height, out.width = width;
  out.rgb.resize(static_cast<size_t>(height) * static_cast<size_t>(width) * 3);
  for (int y = 0; y < height; ++y) {
    const double v = std::clamp((y + 0.5) * in.height / height - 0.5, 0.0, in.height - 1.0);
    for (int x = 0; x < width; ++x) {
      const double u = std::clamp((x + 0.5) * in.width / width - 0.5, 0.0, in.width - 1.0);
      const int y0 = static_cast<int>(v), x0 = static_cast<int>(u);
      const int y1 = std::min(y0 + 1, in.height - 1), x1 = std::min(x0 + 1, in.width - 1);
      for (int c = 0; c < 3; ++c) {
        const auto at = [&](int row, int column) {
          return in
              .rgb[(static_cast<size_t>(row) * static_cast<size_t>(in.width) + static_cast<size_t>(column)) *
                       3 +
                   static_cast<size_t>(c)];
        };
        const double top = at(y0, x0) + (u - x0) * (at(y0, x1) - at(y0, x0));
        const double bottom = at(y1, x0) + (u - x0) * (at(y1, x1) - at(y1, x0));
        out.rgb[(static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) * 3 +
                static_cast<size_t>(c)] = static_cast<uint8_t>(top + (v - y0) * (bottom - top) + 0.5);
      }
    }
  }
  return out;
}

media::Frame cropped(const media::Frame& in, int top, int left, int height, int width) {
  media::Frame out;
  out.height = height, out.width = width;
  for (int y = top; y < top + height; ++y) {
    const auto begin = in.rgb.begin() + (static_cast<std::ptrdiff_t>(y) * in.width + left) * 3;
    out.rgb.insert(out.rgb.end(), begin, begin + static_cast<std::ptrdiff_t>(width) * 3);
  }
  return out;
}

void brighten(double factor, media::Frame& frame) {
  for (uint8_t& value : frame.rgb) value = static_cast<uint8_t>(std::clamp(value * factor + 0.5, 0.0, 255.0));
}

void blur_once(double sigma, bool down, media::Frame& frame) {
  const int reach = static_cast<int>(std::ceil(3 * sigma));
  std::vector<double> weights;
  double sum = 0;
  for (int i = -reach; i <= reach; ++i) sum += weights.emplace_back(std::exp(-0.5 * i * i / (sigma * sigma)));
  const media::Frame in = frame;
  for (int y = 0; y < in.height; ++y) {
    for (int x = 0; x < in.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        double value = 0;
        for (int i = -reach; i <= reach; ++i) {
          const int v = down ? std::clamp(y + i, 0, in.height - 1) : y,
                    u = down ? x : std::clamp(x + i, 0, in.width - 1);
          value +=
              weights[static_cast<size_t>(i + reach)] *
              in.rgb[(static_cast<size_t>(v) * static_cast<size_t>(in.width) + static_cast<size_t>(u)) * 3 +
                     static_cast<size_t>(c)];
        }
        frame.rgb[(static_cast<size_t>(y) * static_cast<size_t>(in.width) + static_cast<size_t>(x)) * 3 +
                  static_cast<size_t>(c)] = static_cast<uint8_t>(value / sum + 0.5);
      }
    }
  }
}

media::Frame blank(Rng& rng, std::string* how) {
  media::Frame frame;
  frame.height = rng.between(192, 448), frame.width = rng.between(192, 448);
  const int base[3] = {rng.between(0, 255), rng.between(0, 255), rng.between(0, 255)};
  const int slope = rng.chance(0.3) ? rng.between(2, 6) : 0;
  const double noise = rng.chance(0.5) ? rng.real(0.3, 1.5) : 0;
  *how = slope > 0 ? "gradient" : noise > 0 ? "noise" : "plain";
  for (int y = 0; y < frame.height; ++y) {
    for (int x = 0; x < frame.width; ++x) {
      for (const int value : base)
        frame.rgb.push_back(static_cast<uint8_t>(std::clamp(
            value + slope * y / frame.height + (noise > 0 ? noise * rng.normal() : 0.0), 0.0, 255.0)));
    }
  }
  return frame;
}

std::string rare_caption(const Sample& sample) {
  int bars = 0;
  std::string label;
  for (const Item& item : sample.facts.images.empty() ? std::vector<Item>{} : sample.facts.images[0].items) {
    bars += item.type == "bar" || item.type == "point" || item.type == "slice" ? 1 : 0;
    if (label.empty()) label = item.label;
  }
  if (bars > 0) return fmt::format("A chart with {} values, the first of them {}.", bars, label);
  return fmt::format("A document page. {}", sample.questions.empty() ? label : sample.questions[0].answer);
}

class Collector {
 public:
  Collector(const CollectionOptions& options)
      : options_(options), scenes_(scene_options(options.seed)), rare_(rare_options(mix(options.seed, 1))) {}

  std::string fault_of(uint64_t index) const {
    Rng rng(mix(mix(options_.seed, 2), index));
    double left = rng.real();
    for (const FaultShare& fault : fault_shares()) {
      if (left < fault.share) return fault.name;
      left -= fault.share;
    }
    return "";
  }
  bool is_rare(uint64_t index) const {
    return fault_of(index).empty() && Rng(mix(mix(options_.seed, 3), index)).chance(kRareShare);
  }

  Sample sample(uint64_t index) const { return is_rare(index) ? rare_.sample(index) : scenes_.sample(index); }
  std::string caption(const Sample& sample, bool rare) const {
    return rare ? rare_caption(sample) : image_caption(sample.facts.images[0], 2);
  }

  // An earlier sound item; nullopt near the beginning.
  std::optional<uint64_t> original_of(uint64_t index, Rng& rng) const {
    for (int attempt = 0; attempt < 50 && index > 0; ++attempt) {
      const auto candidate = static_cast<uint64_t>(rng.real() * static_cast<double>(index));
      if (fault_of(candidate).empty()) return candidate;
    }
    return std::nullopt;
  }

  Made sound(uint64_t index) const {
    Rng rng(mix(mix(options_.seed, 4), index));
    const Sample drawn = sample(index);
    Made made;
    made.name = name_of(index, "jpg");
    made.caption = caption(drawn, is_rare(index));
    made.bytes = encode_jpeg(drawn.frames[0], rng.between(85, 95));
    return made;
  }

  Made make(uint64_t index, std::string* fault, std::optional<uint64_t>* original) const {
    Rng rng(mix(mix(options_.seed, 5), index));
    *fault = fault_of(index);
    if (*fault == "exact_duplicate" || *fault == "near_duplicate") {
      *original = original_of(index, rng);
      if (!*original) fault->clear();
    }
    if (fault->empty()) return sound(index);
    if (fault->starts_with("hostile")) return hostile(index, *fault, rng);
    Made made = sound(original->value_or(index));
    made.name = name_of(index, "jpg");
    if (*fault == "near_duplicate") {
      media::Frame frame = sample(**original).frames[0];
      made.how = alter(rng, &frame);
      made.bytes = encode_jpeg(frame, made.how == "stored_anew" ? rng.between(35, 75) : rng.between(80, 92));
    } else if (*fault == "aspect") {
      const media::Frame whole = sample(index).frames[0];
      const bool wide = rng.chance(0.5);
      const int side = wide ? whole.width : whole.height;
      const int narrow = std::max(30, static_cast<int>(side / rng.real(3.3, 7)));
      const int strip = std::min(narrow, (side - 1) / 3);
      made.bytes = encode_jpeg(wide ? cropped(whole, (whole.height - strip) / 2, 0, strip, whole.width)
                                    : cropped(whole, 0, (whole.width - strip) / 2, whole.height, strip),
                               90);
    } else if (*fault == "blank") {
      made.bytes = encode_jpeg(blank(rng, &made.how), rng.between(70, 95));
    } else if (*fault == "blurred") {
      media::Frame frame = sample(index).frames[0];
      const double sigma = rng.real(0.008, 0.03) * std::max(frame.height, frame.width);
      made.how = fmt::format("sigma {:.1f}", sigma);
      blur_once(sigma, false, frame);
      blur_once(sigma, true, frame);
      made.bytes = encode_jpeg(frame, 90);
    } else if (*fault == "wrong_caption") {
      const Sample mine = sample(index);
      for (uint64_t other = index + 1;; ++other) {
        made.caption = caption(scenes_.sample(other), false);
        if (!caption_is_right(made.caption, mine.facts, MediaType::kImage)) break;
      }
    } else if (*fault == "template") {
      made.caption =
          fmt::format("Image {} of {}, free stock photo", rng.between(1, 99999), rng.between(2, 999));
    } else if (*fault == "caption_spam") {
      const std::string word = rng.pick({"cheap shoes ", "best price ", "click here "});
      made.caption.clear();
      for (int i = rng.between(8, 40); i > 0; --i) made.caption += word;
    } else if (*fault == "caption_control") {
      made.caption.insert(made.caption.size() / 2, rng.pick({"\x1b[31m", "\x01", "\xe2\x80\xae", "\x7f"}));
    } else if (*fault == "corrupt") {
      spoil(rng, &made);
    }
    return made;
  }

  std::string name_of(uint64_t index, const char* extension) const {
    return fmt::format("{:03}/{:06}.{}", index / 1000, index, extension);
  }

 private:
  static std::string alter(Rng& rng, media::Frame* frame) {
    switch (rng.below(5)) {
      case 0:
        return "stored_anew";
      case 1: {
        const double factor = rng.real(0.5, 0.95);
        *frame = resized(*frame, std::max(64, static_cast<int>(frame->height * factor)),
                         std::max(64, static_cast<int>(frame->width * factor)));
        return "resized";
      }
      case 2:
        brighten(rng.chance(0.5) ? rng.real(0.92, 0.98) : rng.real(1.02, 1.08), *frame);
        return "brightness";
      case 3: {
        const int y = std::max(1, frame->height / 80), x = std::max(1, frame->width / 80);
        *frame = cropped(*frame, y, x, frame->height - 2 * y, frame->width - 2 * x);
        return "border_cropped";
      }
      default:
        add_sensor_noise(rng, rng.real(1, 4), *frame);
        return "noise";
    }
  }

  static void spoil(Rng& rng, Made* made) {
    switch (rng.below(5)) {
      case 0:
        made->how = "truncated";
        made->bytes.resize(
            static_cast<size_t>(static_cast<double>(made->bytes.size()) * rng.real(0.1, 0.85)));
        return;
      case 1:
        made->how = "noise";
        for (char& byte : made->bytes) byte = static_cast<char>(rng.below(256));
        return;
      case 2:
        made->how = "html";
        made->bytes = "<html><body>404 Not Found</body></html>\n";
        return;
      case 3:
        made->how = "head_only";
        made->bytes.resize(rng.below(2) == 0 ? 3 : 120);
        return;
      default:
        made->how = "empty";
        made->bytes.clear();
    }
  }

  // Names and lines that are made to do harm. The file is sound wherever there is one.
  Made hostile(uint64_t index, const std::string& fault, Rng& rng) const {
    Made made = sound(index);
    made.how = fault.substr(8);
    if (made.how == "newline_name") {
      made.name = fmt::format("{:03}/a\n{:06}.jpg", index / 1000, index);
    } else if (made.how == "parent_name") {
      made.name = rng.pick({"../outside/secret.jpg", "000/../../outside/secret.jpg"});
      made.no_file = true;
    } else if (made.how == "absolute_name") {
      made.name = rng.pick({"/etc/passwd", "/dev/zero"});
      made.no_file = true;
    } else if (made.how == "link_outside") {
      made.name = name_of(index, "link.jpg");
      made.no_file = true;
    } else if (made.how == "url") {
      made.name = "http://127.0.0.1:1/a.jpg";
      made.no_file = true;
    } else if (made.how == "missing_file") {
      made.no_file = true;
    } else if (made.how == "huge_size") {  // a PNG whose header claims 60000 x 60000
      made.bytes = media::encode_png({1, 1, {0, 0, 0}, 0});
      for (const size_t at : {16u, 20u}) made.bytes.replace(at, 4, std::string("\x00\x00\xea\x60", 4));
      made.bytes.replace(29, 4, "\x0f\xb0\xe2\x15");  // the header's CRC-32, so that only the size is wrong
      made.name = name_of(index, "png");
    } else {
      made.line = rng.pick({"{\"image\": \"000/x.jpg\", \"caption\": ", "[1, 2, 3]", "null",
                            "{\"image\": {\"a\": 1}}", "{\"image\": \"\xff\xfe.jpg\"}", "not JSON at all"});
      made.no_file = true;
    }
    return made;
  }

  CollectionOptions options_;
  Generator scenes_, rare_;
};

void write_file(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  write_file_atomically(path, bytes);
}

}  // namespace

const std::vector<FaultShare>& fault_shares() {
  static const std::vector<FaultShare> shares = {{"aspect", 0.04},
                                                 {"blank", 0.04},
                                                 {"blurred", 0.04},
                                                 {"wrong_caption", 0.06},
                                                 {"exact_duplicate", 0.03},
                                                 {"near_duplicate", 0.07},
                                                 {"template", 0.05},
                                                 {"corrupt", 0.04},
                                                 {"caption_spam", 0.015},
                                                 {"caption_control", 0.01},
                                                 {"hostile_newline_name", 0.002},
                                                 {"hostile_parent_name", 0.002},
                                                 {"hostile_absolute_name", 0.002},
                                                 {"hostile_link_outside", 0.002},
                                                 {"hostile_url", 0.002},
                                                 {"hostile_missing_file", 0.002},
                                                 {"hostile_huge_size", 0.002},
                                                 {"hostile_wrong_line", 0.004}};
  return shares;
}

void write_collection(const CollectionOptions& options, const Progress& progress) {
  weights::StagedFolder folder(options.out);
  const Collector collector(options);
  const fs::path media = folder.path() / "media";
  fs::create_directories(media);
  AtomicFile items(folder.path() / "items.jsonl"), truths(folder.path() / "truth.jsonl");
  write_file(folder.path() / "outside" / "secret.jpg", collector.sound(0).bytes);
  for (uint64_t i = 0; i < options.count; ++i) {
    std::string fault;
    std::optional<uint64_t> original;
    const Made made = collector.make(i, &fault, &original);
    if (!made.no_file) write_file(media / made.name, made.bytes);
    if (made.how == "link_outside") {
      fs::create_directories((media / made.name).parent_path());
      fs::create_symlink("../../outside/secret.jpg", media / made.name);
    }
    const std::string line =
        (made.line.empty() ? OrderedJson{{"id", fmt::format("item-{:06}", i)},
                                         {"image", made.name},
                                         {"caption", made.caption}}
                                 .dump(-1, ' ', false, OrderedJson::error_handler_t::replace)
                           : made.line) +
        "\n";
    items.append(line.data(), line.size());
    OrderedJson truth = {{"position", i}, {"fault", fault}};
    if (original) truth["original"] = *original;
    if (!made.how.empty()) truth["how"] = made.how;
    if (collector.is_rare(i)) truth["rare"] = true;
    const std::string row = truth.dump() + "\n";
    truths.append(row.data(), row.size());
    if (progress) progress(i + 1, options.count);
  }
  items.commit();
  truths.commit();
  folder.commit();
}

}  // namespace vl3::synth
