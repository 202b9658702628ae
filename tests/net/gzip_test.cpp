#include "net/gzip.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "net/gzip_text.h"
#include "support/temp_dir.h"

namespace vl3::net {
namespace {

using test::error_of;
using test::gzip;

std::string decode(std::string_view packed, size_t piece) {
  GzipDecoder decoder;
  std::string out;
  for (size_t at = 0; at < packed.size(); at += piece) {
    decoder.append(packed.substr(at, piece), [&](std::string_view plain) { out.append(plain); });
  }
  decoder.finish();
  return out;
}

TEST(Gzip, GivesTheTextBackHoweverItIsCut) {
  std::string text;
  std::mt19937 random(1);
  for (int i = 0; i < 50000; ++i) text += static_cast<char>('a' + random() % 7);
  text.append(300000, 'z');  // more than a buffer out of a few bytes in, at the very end
  const std::string packed = gzip(text);
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}, packed.size()})
    EXPECT_EQ(decode(packed, piece), text);
  EXPECT_EQ(decode(gzip(""), 5), "");
}

TEST(Gzip, BrokenOrCutDataIsAnError) {
  const std::string packed = gzip(std::string(1000, 'x') + "tail");
  EXPECT_NE(error_of([&] { decode(packed.substr(0, packed.size() - 1), 100); }).find("ends early"),
            std::string::npos);
  EXPECT_NE(error_of([] { decode("", 1); }).find("ends early"), std::string::npos);
  EXPECT_NE(error_of([] { decode("plain text, no gzip at all", 100); }).find("broken"), std::string::npos);
  std::string wrong = packed;
  wrong[wrong.size() - 6] ^= 1;  // the checksum
  EXPECT_NE(error_of([&] { decode(wrong, 100); }).find("broken"), std::string::npos);
}

TEST(Gzip, ASinkCanStopABomb) {
  const std::string bomb = gzip(std::string(64 << 20, '\0'));
  ASSERT_LT(bomb.size(), 100000u);
  GzipDecoder decoder;
  size_t seen = 0;
  EXPECT_THROW(decoder.append(bomb,
                              [&](std::string_view plain) {
                                EXPECT_LE(plain.size(), 65536u);
                                seen += plain.size();
                                if (seen > 200000) throw std::runtime_error("enough");
                              }),
               std::runtime_error);
  EXPECT_LT(seen, 300000u);
}

}  // namespace
}  // namespace vl3::net
