#include "media/data_url.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3::media {
namespace {

using test::error_of;

TEST(DataUrl, DecodesBase64AndEscapes) {
  EXPECT_EQ(decode_data_url("data:image/png;base64,aGVsbG8=", 100), "hello");
  EXPECT_EQ(decode_data_url("data:;base64,aGVsbG8", 100), "hello");
  EXPECT_EQ(decode_data_url("data:;base64,aGVs\nbG8%3D", 100), "hello");
  EXPECT_EQ(decode_data_url("data:;base64,-_8=", 100), "\xfb\xff");
  EXPECT_EQ(decode_data_url("data:;base64,", 100), "");
  EXPECT_EQ(decode_data_url("data:,a%20b%00c", 100), std::string("a b\0c", 5));
  EXPECT_EQ(decode_data_url("data:text/plain;charset=utf-8,x,y", 100), "x,y");
}

TEST(DataUrl, WhatWasEncodedIsDecoded) {
  EXPECT_EQ(encode_data_url("image/png", "hello"), "data:image/png;base64,aGVsbG8=");
  for (const std::string& bytes : {std::string(), std::string("\0\xff", 2), std::string("abc")})
    EXPECT_EQ(decode_data_url(encode_data_url("video/mp4", bytes), 100), bytes);
}

TEST(DataUrl, RefusesWhatIsBrokenOrLarge) {
  EXPECT_NE(error_of([] { decode_data_url("data:image/png;base64", 100); }).find("without a comma"),
            std::string::npos);
  EXPECT_NE(error_of([] { decode_data_url("data:;base64,aGVs!G8=", 100); }).find("corrupt"),
            std::string::npos);
  EXPECT_NE(error_of([] { decode_data_url("data:;base64,aGVsb", 100); }).find("cut off"), std::string::npos);
  EXPECT_NE(error_of([] { decode_data_url("data:;base64,aG==Vs", 100); }).find("corrupt"), std::string::npos);
  EXPECT_NE(error_of([] { decode_data_url("data:,%4", 100); }).find("broken % escape"), std::string::npos);
  EXPECT_NE(error_of([] { decode_data_url("data:,%zz", 100); }).find("broken % escape"), std::string::npos);
  EXPECT_NE(error_of([] {
              decode_data_url("data:;base64," + std::string(400, 'A'), 100);
            }).find("the limit is 100"),
            std::string::npos);
  EXPECT_NE(error_of([] { decode_data_url("data:," + std::string(101, 'A'), 100); }).find("the limit is 100"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::media
