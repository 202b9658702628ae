// What the rows of broken files and flags are made of: a folder of their own, whole files to damage,
// checkpoints to bend. A row names what is run and the one error line that must come of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "support/temp_dir.h"

namespace vl3::test {

/// The golden set in use lacks what a row needs. Holds the word for GTEST_SKIP.
struct Skipped {
  std::string why;
};

class HostileWorld {
 public:
  using Words = std::vector<std::string>;

  HostileWorld();
  ~HostileWorld();
  HostileWorld(const HostileWorld&) = delete;
  HostileWorld& operator=(const HostileWorld&) = delete;

  TempDir dir;
  std::string stdin_bytes;
  std::map<std::string, std::string> environment;

  // ---- media
  /// A whole file of tests/cli/data: picture.png, .jpg, .webp, .gif, .tiff, clip.mp4, audio_only.mp4.
  static std::string data(const std::string& name);
  static std::string bytes_of(const std::filesystem::path& path);
  /// Writes a file into the folder and gives its path.
  std::string file(const std::string& name, std::string_view bytes) const;
  /// The first `share` of a file of tests/cli/data, under the same name.
  std::string cut(const std::string& name, double share) const;
  /// A PNG whose header says it has these sides; no pixel follows.
  static std::string png_header(uint32_t width, uint32_t height);
  /// An address on this machine where nobody answers.
  std::string closed_port() const;

  // ---- checkpoints, all small ones of the golden set
  /// A folder with config.json, model.safetensors and tokenizer.json in the native layout. @throws Skipped.
  static std::string model();
  /// A copy of model() in the folder, to be damaged.
  std::filesystem::path model_copy() const;
  /// The same of one with shards and an index. @throws Skipped.
  std::filesystem::path sharded_copy() const;
  std::filesystem::path copy_of(const std::filesystem::path& source) const;
  /// model_copy() with config.json bent; `bend` may also change a nested object.
  std::string bent_config(const std::function<void(Json&)>& bend) const;
  /// model_copy() whose model.safetensors has another header or data.
  std::string bent_weights(const std::function<void(Json& header, std::string& data)>& bend) const;
  static void bend_json(const std::filesystem::path& path, const std::function<void(Json&)>& bend);

  // ---- commands
  std::string out(const std::string& name = "out") const { return (dir / name).string(); }
  /// vl3 ask --model M --temperature 0 --max-tokens 2 WORDS…
  static Words ask(const Words& words, const std::string& model = HostileWorld::model());
  /// The same with a messages file of this content.
  Words ask_messages(const std::string& content) const;
  /// vl3 COMMAND --model M WORDS…
  static Words with_model(const std::string& command, const Words& words);

 private:
  int socket_ = -1;
  int port_ = 0;
};

struct HostileRow {
  const char* name;   ///< of the test: letters and digits
  int status;         ///< 2 for a usage error, 1 for everything else
  const char* error;  ///< a part of the error line
  HostileWorld::Words (*make)(HostileWorld&);
  bool retries = false;  ///< a line for every attempt may come before
};

std::vector<HostileRow> hostile_flags();
std::vector<HostileRow> hostile_media();
std::vector<HostileRow> hostile_checkpoints();
std::vector<HostileRow> hostile_commands();

}  // namespace vl3::test
