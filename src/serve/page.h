// The web page's files, compiled into the program from web/.
#pragma once

#include <string>
#include <string_view>

namespace vl3::serve {

struct PageFile {
  const char* path;  ///< "/index.html"
  const char* content_type;
  std::string_view content;
};

/// The file a request's path names ("/" is the page itself), or null.
const PageFile* find_page_file(std::string_view path);

}  // namespace vl3::serve
