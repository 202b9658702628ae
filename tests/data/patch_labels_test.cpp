#include "data/patch_labels.h"

#include <gtest/gtest.h>

#include "data/sample.h"
#include "synth/vocabulary.h"

namespace vl3::data {
namespace {

// 40 x 40 pixels as 4 x 4 patches of 10.
constexpr preprocess::Grid kGrid{1, 4, 4};

synth::ImageFacts facts_of(std::vector<synth::Item> items) {
  return {.width = 40, .height = 40, .background = "", .items = std::move(items)};
}

int64_t task(const std::vector<int64_t>& labels, int64_t y, int64_t x, PatchTask of) {
  return labels.at(static_cast<size_t>((y * kGrid.w + x) * kPatchTasks + static_cast<int>(of)));
}

TEST(PatchLabels, APatchSaysWhatCoversItAndWhere) {
  const auto labels = patch_labels(
      facts_of({{.type = "shape", .label = "star", .colour = "blue", .box = {10, 20, 30, 40}}}), kGrid);
  ASSERT_EQ(labels.size(), 4u * 4u * kPatchTasks);
  int64_t covered = 0;
  for (int64_t y = 0; y < 4; ++y) {
    for (int64_t x = 0; x < 4; ++x) {
      const bool inside = y >= 2 && (x == 1 || x == 2);
      const int64_t content = task(labels, y, x, PatchTask::kContent);
      EXPECT_EQ(content, inside ? content_class("shape", "star") : 0) << y << ", " << x;
      EXPECT_EQ(task(labels, y, x, PatchTask::kColour), inside ? 4 : kIgnoreIndex);
      EXPECT_EQ(task(labels, y, x, PatchTask::kRow), inside ? y * 2 : kIgnoreIndex);
      EXPECT_EQ(task(labels, y, x, PatchTask::kColumn), inside ? x * 2 : kIgnoreIndex);
      covered += inside;
    }
  }
  EXPECT_EQ(covered, 4);
}

TEST(PatchLabels, ACharacterGoesBeforeWhatItStandsOn) {
  const synth::Item shape{.type = "shape", .label = "square", .colour = "red", .box = {0, 0, 40, 40}};
  const synth::Item letter{.type = "char", .label = "Q", .colour = "white", .box = {12, 12, 18, 19}};
  for (const auto& items : {std::vector{shape, letter}, std::vector{letter, shape}}) {
    const auto labels = patch_labels(facts_of(items), kGrid);
    EXPECT_EQ(task(labels, 1, 1, PatchTask::kContent), content_class("char", "Q"));
    EXPECT_EQ(task(labels, 1, 1, PatchTask::kColour), 9) << "white";
    EXPECT_EQ(task(labels, 1, 2, PatchTask::kContent), content_class("shape", "square"));
  }
}

TEST(PatchLabels, LittleOfALargeThingIsNothing) {
  // 2 of 10 pixels of a patch, and a small part of the shape.
  const auto labels = patch_labels(
      facts_of({{.type = "shape", .label = "circle", .colour = "red", .box = {0, 0, 22, 20}}}), kGrid);
  EXPECT_EQ(task(labels, 0, 1, PatchTask::kContent), content_class("shape", "circle"));
  EXPECT_EQ(task(labels, 0, 2, PatchTask::kContent), 0);
}

TEST(PatchLabels, ASmallThingCountsByItsOwnSize) {
  const auto labels =
      patch_labels(facts_of({{.type = "char", .label = "7", .colour = "", .box = {33, 3, 37, 7}}}), kGrid);
  EXPECT_EQ(task(labels, 0, 3, PatchTask::kContent), content_class("char", "7"));
  EXPECT_EQ(task(labels, 0, 3, PatchTask::kColour), kIgnoreIndex) << "of no named colour";
}

TEST(PatchLabels, WhatLeavesThePictureStaysInside) {
  const auto labels = patch_labels(
      facts_of({{.type = "bar", .label = "Q1", .colour = "green", .box = {-5, -5, 60, 60}}}), kGrid);
  for (int64_t i = 0; i < 16; ++i) EXPECT_GT(labels[static_cast<size_t>(i * kPatchTasks)], 0);
}

TEST(PatchLabels, EveryNameHasAClassOfItsOwn) {
  std::vector<int64_t> seen;
  for (int i = 0; i < synth::kShapes; ++i)
    seen.push_back(content_class("shape", synth::name_of(static_cast<synth::Shape>(i))));
  for (const char c : std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"))
    seen.push_back(content_class("char", std::string(1, c)));
  seen.push_back(content_class("char", "é"));
  seen.push_back(content_class("bar", "Q1"));
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<int64_t>(i) + 1);
  EXPECT_LT(seen.back(), kPatchClasses[0]);
  EXPECT_EQ(content_class("line", "HELLO"), 0) << "lines are labelled by their characters";
}

}  // namespace
}  // namespace vl3::data
