// bin/vl3: sets what OpenMP reads only while it is loaded, then becomes the program proper (libexec/vl3). It
// links nothing of libtorch, so it costs about a millisecond.
//
// By default libgomp's threads spin for milliseconds after every parallel loop. On a machine with other work
// they take the cores from one another, and a small training step is then 50 times slower. A short spin keeps
// the speed of an idle machine.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

int main(int /*argc*/, char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) ::setenv("GOMP_SPINCOUNT", "2000", /*replace=*/0);
  std::array<char, 4096> self{};
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
  std::string path(self.data(), size < 0 ? 0 : static_cast<size_t>(size));
  path = path.substr(0, path.rfind('/')) + "/../libexec/vl3";
  ::execv(path.c_str(), argv);
  std::fprintf(stderr, "vl3: not found: %s: %s; is the installation whole?\n", path.c_str(),
               std::strerror(errno));
  return 1;
}
