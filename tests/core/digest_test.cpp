#include "core/digest.h"

#include <gtest/gtest.h>

namespace vl3 {
namespace {

// FIPS 180-2, appendices A and B.
TEST(Digest, GivesThePublishedValues) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Digest sha1(DigestKind::kSha1);
  sha1.add("abc");
  EXPECT_EQ(sha1.hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Digest, PiecesCountAsTheWhole) {
  Digest pieces;
  pieces.add("a");
  pieces.add("");
  pieces.add("bc", 2);
  const std::string bytes = pieces.bytes();
  const Sha256Bytes whole = sha256("abc");
  ASSERT_EQ(bytes.size(), whole.size());
  EXPECT_TRUE(std::equal(whole.begin(), whole.end(), reinterpret_cast<const unsigned char*>(bytes.data())));
}

}  // namespace
}  // namespace vl3
