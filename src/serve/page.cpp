#include "serve/page.h"

#include <span>

namespace vl3::serve {

// Made by cmake/EmbedFiles.cmake.
extern const PageFile kPageFiles[];
extern const size_t kPageFileCount;

const PageFile* find_page_file(std::string_view path) {
  if (path == "/") path = "/index.html";
  for (const PageFile& file : std::span(kPageFiles, kPageFileCount)) {
    if (path == file.path) return &file;
  }
  return nullptr;
}

}  // namespace vl3::serve
