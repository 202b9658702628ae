// Pictures, videos and addresses that are broken, too large, or not what they say.
#include <sys/stat.h>

#include "cli/hostile_world.h"
#include "core/check.h"

namespace vl3::test {
namespace {

using W = HostileWorld;
using Words = HostileWorld::Words;

Words about(const std::string& medium) { return W::ask({medium, "hi"}); }

Words about_file(const W& w, const std::string& name, std::string_view bytes) {
  return about(w.file(name, bytes));
}

// The same on every machine, and no format's beginning.
std::string noise(size_t size) {
  std::string bytes;
  for (uint32_t state = 12345; bytes.size() < size; state = state * 1664525u + 1013904223u) {
    bytes += static_cast<char>(state >> 24);
  }
  return bytes;
}

std::vector<HostileRow> file_rows() {
  return {
      {"MissingFile", 1, "/no.png: No such file or directory", [](W& w) { return about(w.out("no.png")); }},
      {"NameTooLong", 1, "File name too long", [](W& w) { return about(w.out(std::string(5000, 'x'))); }},
      {"NameEmpty", 2, "an empty media reference", [](W&) { return about(""); }},
      {"NameWithControlCharacters", 1, "/a b\\x1b[31m.png: No such file or directory",
       [](W& w) { return about(w.out("a\nb\x1b[31m.png")); }},
      {"LinkToItself", 1, "/loop.png: Too many levels of symbolic links",
       [](W& w) {
         std::filesystem::create_symlink("loop.png", w.out("loop.png"));
         return about(w.out("loop.png"));
       }},
      {"FolderWithoutPictures", 1, "/frames: a folder without pictures",
       [](W& w) {
         std::filesystem::create_directory(w.out("frames"));
         return about(w.out("frames"));
       }},
      {"FolderWithABrokenPicture", 1, "/frames/1.png: broken PNG: the file ends early",
       [](W& w) {
         const std::string whole = W::bytes_of(W::data("picture.png"));
         w.file("frames/0.png", whole);
         w.file("frames/1.png", whole.substr(0, whole.size() / 2));
         return about(w.out("frames"));
       }},
      {"EmptyFile", 1, "/empty.png: is empty", [](W& w) { return about_file(w, "empty.png", ""); }},
      {"RandomBytes", 1, "/noise.mp4: neither a picture nor a video",
       [](W& w) { return about_file(w, "noise.mp4", noise(100000)); }},
      {"TextFile", 1, "/notes.txt: neither a picture nor a video",
       [](W& w) { return about_file(w, "notes.txt", "Dear diary,\nnothing happened today.\n"); }},
      {"WrongExtension", 1, "/picture.png: neither a picture nor a video",
       [](W& w) {
         return about_file(w, "picture.png", "From: me\nTo: you\n\nThe picture did not arrive.\n");
       }},
      {"DevZero", 2, "/dev/zero: neither a file nor a folder", [](W&) { return about("/dev/zero"); }},
      {"DevUrandom", 2, "/dev/urandom: neither a file nor a folder",
       [](W&) {
         return W::ask({"--video", "/dev/urandom", "hi"});
       }},
      {"PipeWithoutWriter", 2, "/pipe.mp4: neither a file nor a folder",
       [](W& w) {
         VL3_CHECK(::mkfifo(w.out("pipe.mp4").c_str(), 0600) == 0, kInternal, "mkfifo");
         return about(w.out("pipe.mp4"));
       }},
      {"StdinEmpty", 1, "corrupt: stdin: is empty", [](W&) { return about("-"); }},
      {"StdinTwice", 2, "invalid argument: - (stdin) is given 2 times: it can be read once",
       [](W& w) {
         w.stdin_bytes = W::bytes_of(W::data("picture.png"));
         return W::ask({"-", "-", "hi"});
       }},
  };
}

std::vector<HostileRow> picture_rows() {
  return {
      {"TruncatedPng", 1, "/picture.png: broken PNG: the file ends early",
       [](W& w) { return about(w.cut("picture.png", 0.6)); }},
      {"TruncatedJpeg", 1, "/picture.jpg: broken JPEG: the file ends early",
       [](W& w) { return about(w.cut("picture.jpg", 0.7)); }},
      {"TruncatedWebp", 1, "/picture.webp: broken WebP, or cut off",
       [](W& w) { return about(w.cut("picture.webp", 0.6)); }},
      {"TruncatedGif", 1, "/picture.gif: GIF data is broken or cut off",
       [](W& w) { return about(w.cut("picture.gif", 0.6)); }},
      {"TruncatedTiff", 1, "/picture.tiff: broken TIFF",
       [](W& w) { return about(w.cut("picture.tiff", 0.5)); }},
      {"PngBomb", 1, "/bomb.png: 100000 x 100000 pixels, the limit is",
       [](W& w) { return about_file(w, "bomb.png", W::png_header(100000, 100000)); }},
      {"PngOfNoSize", 1, "/none.png: broken PNG",
       [](W& w) { return about_file(w, "none.png", W::png_header(0, 7)); }},
      {"PngTooThin", 2, "has a side ratio of 20000",
       [](W& w) { return about_file(w, "thin.png", W::png_header(20000, 1)); }},
      {"GifBomb", 1, "/bomb.gif: a GIF without an image, or cut off before it",
       [](W& w) { return about_file(w, "bomb.gif", "GIF89a\xff\xff\xff\xff" + std::string(3, '\0')); }},
      {"BmpBomb", 1, "/bomb.bmp: 65536 x 65536 pixels, the limit is",
       [](W& w) {
         std::string bytes = "BM" + std::string(52, '\0');
         bytes[10] = 54, bytes[14] = 40, bytes[26] = 1, bytes[28] = 24;
         for (const size_t side : {18u, 22u}) bytes[side + 2] = 1;  // 65536 x 65536
         return about_file(w, "bomb.bmp", bytes);
       }},
      {"TiffOfItself", 1, "/loop.tiff: broken TIFF",
       [](W& w) {
         // A directory of no entries whose next directory is itself.
         return about_file(w, "loop.tiff", std::string("II*\0\x08\0\0\0\0\0\x08\0\0\0", 14));
       }},
      {"Pdf", 1, "/a.pdf: PDF is not read; convert it to PNG or JPEG",
       [](W& w) { return about_file(w, "a.pdf", "%PDF-1.7\n1 0 obj\n"); }},
      {"VideoAsImage", 1, "not a picture by its first bytes",
       [](W&) {
         return W::ask({"--image", W::data("clip.mp4"), "hi"});
       }},
  };
}

std::vector<HostileRow> video_rows() {
  return {
      {"TruncatedMp4Header", 1, "/clip.mp4: not a readable video",
       [](W& w) { return about(w.cut("clip.mp4", 0.3)); }},
      {"TruncatedMp4Data", 1, "/clip.mp4: not one of its frames could be decoded",
       [](W& w) { return about(w.cut("clip.mp4", 0.55)); }},
      {"Mp4WithoutTracks", 1, "/bare.mp4: has no video stream (mov,mp4,m4a,3gp,3g2,mj2)",
       [](W& w) {
         return about_file(w, "bare.mp4",
                           std::string("\0\0\0\x10"
                                       "ftypisom\0\0\0\0"
                                       "\0\0\0\x08"
                                       "moov",
                                       24));
       }},
      {"Mp4BoxOfAbsurdSize", 1, "/box.mp4: has no video stream (mov,mp4,m4a,3gp,3g2,mj2)",
       [](W& w) {
         return about_file(w, "box.mp4",
                           std::string("\0\0\0\x10"
                                       "ftypisom\0\0\0\0"
                                       "\0\0\0\x01"
                                       "moov\x7f\xff\xff\xff\xff\xff\xff\xff",
                                       32));
       }},
      {"AudioOnlyMp4", 1, "has no video stream (mov,mp4,m4a,3gp,3g2,mj2)",
       [](W&) { return about(W::data("audio_only.mp4")); }},
      {"Playlist", 1, "/list.m3u8: is a playlist or script that names other files",
       [](W& w) {
         return about_file(w, "list.m3u8",
                           "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n");
       }},
      {"PlaylistAsVideo", 1, "/list.mp4: not a readable video",
       [](W& w) {
         return W::ask({"--video", w.file("list.mp4", "#EXTM3U\n#EXTINF:5,\n/etc/passwd\n"), "hi"});
       }},
      {"ConcatScript", 1, "/list.mp4: is a playlist or script that names other files",
       [](W& w) { return about_file(w, "list.mp4", "ffconcat version 1.0\nfile /etc/passwd\n"); }},
  };
}

std::vector<HostileRow> address_rows() {
  return {
      {"FileUrlOfPasswords", 1, "unsupported: /etc/passwd: neither a picture nor a video",
       [](W&) { return about("file:///etc/passwd"); }},
      {"UnknownScheme", 2, "gopher://x/y.png: unknown scheme", [](W&) { return about("gopher://x/y.png"); }},
      {"ConcatProtocol", 1, "not found: concat:/etc/passwd|/etc/passwd: No such file or directory",
       [](W&) {
         return W::ask({"--video", "concat:/etc/passwd|/etc/passwd", "hi"});
       }},
      {"PrivateAddress", 2, "an address that is loopback: only public addresses",
       [](W& w) { return about(w.closed_port() + "/x.png"); }},
      {"PrivateAddressInNumbers", 2, "an address that is IPv4-mapped: only public addresses",
       [](W&) { return about("http://[::ffff:169.254.0.1]/x.png"); }},
      {"ClosedPort", 1, "Connection refused",
       [](W& w) {
         return W::ask({"--allow-private-addresses", w.closed_port() + "/x.png", "hi"});
       }},
      {"UrlBadPort", 2, "URL with port \"99999\": it must be 1..65535",
       [](W&) { return about("http://127.0.0.1:99999/x.png"); }},
      {"UrlWithPassword", 2, "URL with user:password@ before the host",
       [](W&) { return about("http://user:secret@127.0.0.1/x.png"); }},
      {"DataUrlBrokenBase64", 1, "corrupt: data: URL: base64 is broken after 4 characters",
       [](W&) { return about("data:image/png;base64,iVBO*w0KGgo="); }},
      {"DataUrlWithoutComma", 2, "data: URL without a comma",
       [](W&) { return about("data:image/png;base64"); }},
  };
}

}  // namespace

std::vector<HostileRow> hostile_media() {
  std::vector<HostileRow> rows = file_rows();
  for (const auto& more : {picture_rows(), video_rows(), address_rows()})
    rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace vl3::test
