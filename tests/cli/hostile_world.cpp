#include "cli/hostile_world.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "core/check.h"
#include "core/file.h"
#include "support/golden_tensors.h"

namespace vl3::test {
namespace fs = std::filesystem;
namespace {

uint32_t crc32(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

fs::path model_with(const std::string& file, const std::string& flow) {
  for (const fs::path& folder : golden_models(file)) {
    if (folder.filename() == flow && fs::exists(folder / "tokenizer.json")) return folder;
  }
  throw Skipped{fmt::format("the golden set has no {} checkpoint with {}", flow, file)};
}

}  // namespace

HostileWorld::HostileWorld() {
  environment["HOME"] = dir.path().string();
  environment["TMPDIR"] = dir.path().string();
  // Bound, but not listening: a connection is refused at once, and nobody else can take the port.
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  VL3_CHECK(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), length) == 0 &&
                ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0,
            kInternal, "no loopback port");
  port_ = ntohs(address.sin_port);
}

HostileWorld::~HostileWorld() { ::close(socket_); }

std::string HostileWorld::data(const std::string& name) {
  return std::string(VL3_SOURCE_DIR "/tests/cli/data/") + name;
}

std::string HostileWorld::bytes_of(const fs::path& path) { return read_file(path, 64 << 20); }

std::string HostileWorld::file(const std::string& name, std::string_view bytes) const {
  return dir.write(name, bytes).string();
}

std::string HostileWorld::cut(const std::string& name, double share) const {
  const std::string whole = bytes_of(data(name));
  return file(name, std::string_view(whole).substr(
                        0, static_cast<size_t>(static_cast<double>(whole.size()) * share)));
}

std::string HostileWorld::png_header(uint32_t width, uint32_t height) {
  const std::string header =
      "IHDR" + big_endian(width) + big_endian(height) + std::string("\x08\x02\0\0\0", 5);
  return std::string("\x89PNG\r\n\x1a\n", 8) + big_endian(13) + header + big_endian(crc32(header)) +
         big_endian(0) + "IDAT" + big_endian(crc32("IDAT"));
}

std::string HostileWorld::closed_port() const { return fmt::format("http://127.0.0.1:{}", port_); }

std::string HostileWorld::model() { return model_with("model.safetensors", "native").string(); }

fs::path HostileWorld::copy_of(const fs::path& source) const {
  fs::copy(source, dir / "model", fs::copy_options::recursive);
  return dir / "model";
}

fs::path HostileWorld::model_copy() const { return copy_of(model()); }

fs::path HostileWorld::sharded_copy() const {
  return copy_of(model_with("model.safetensors.index.json", "remote"));
}

void HostileWorld::bend_json(const fs::path& path, const std::function<void(Json&)>& bend) {
  Json json = read_json_file(path);
  bend(json);
  write_file_atomically(path, json.dump());
}

std::string HostileWorld::bent_config(const std::function<void(Json&)>& bend) const {
  const fs::path folder = model_copy();
  bend_json(folder / "config.json", bend);
  return folder.string();
}

std::string HostileWorld::bent_weights(const std::function<void(Json&, std::string&)>& bend) const {
  const fs::path folder = model_copy();
  const std::string whole = bytes_of(folder / "model.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, whole.data(), sizeof length);
  Json header = parse_json(std::string_view(whole).substr(8, length), "header");
  std::string data = whole.substr(8 + length);
  bend(header, data);
  const std::string text = header.dump();
  length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  write_file_atomically(folder / "model.safetensors", bytes + text + data);
  return folder.string();
}

HostileWorld::Words HostileWorld::ask(const Words& words, const std::string& model) {
  Words all{"ask", "--model", model, "--temperature", "0", "--max-tokens", "2"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

HostileWorld::Words HostileWorld::ask_messages(const std::string& content) const {
  return ask({"--messages", file("messages.json", content)});
}

HostileWorld::Words HostileWorld::with_model(const std::string& command, const Words& words) {
  Words all{command, "--model", model()};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

}  // namespace vl3::test
