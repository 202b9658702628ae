// Pictures, videos and addresses that are broken, too large, or not what they say.
#include <sys/stat.h>

#include "cli/hostile_world.h"
#include "core/check.h"

namespace vl3::test {
namespace {

using W = HostileWorld;
using Words = HostileWorld::Words;

Words about(const std::string& medium) { return W::ask({medium, "hi"}); }

Words about_file(const W& w, const std::string& name, std::string_view bytes) { return about(w.file(name, bytes)); }

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
      {"MissingFile", 1, "", [](W& w) { return about(w.out("no.png")); }},
      {"NameTooLong", 1, "", [](W& w) { return about(w.out(std::string(5000, 'x'))); }},
      {"NameEmpty", 2, "", [](W&) { return about(""); }},
      {"NameWithControlCharacters", 1, "", [](W& w) { return about(w.out("a\nb\x1b[31m.png")); }},
      {"LinkToItself", 1, "",
       [](W& w) {
         std::filesystem::create_symlink("loop.png", w.out("loop.png"));
         return about(w.out("loop.png"));
       }},
      {"FolderWithoutPictures", 1, "",
       [](W& w) {
         std::filesystem::create_directory(w.out("frames"));
         return about(w.out("frames"));
       }},
      {"FolderWithABrokenPicture", 1, "",
       [](W& w) {
         const std::string whole = W::bytes_of(W::data("picture.png"));
         w.file("frames/0.png", whole);
         w.file("frames/1.png", whole.substr(0, whole.size() / 2));
         return about(w.out("frames"));
       }},
      {"EmptyFile", 1, "", [](W& w) { return about_file(w, "empty.png", ""); }},
      {"RandomBytes", 1, "", [](W& w) { return about_file(w, "noise.mp4", noise(100000)); }},
      {"RandomBytesAsVideo", 1, "", [](W& w) { return W::ask({"--video", w.file("noise.mp4", noise(100000)), "hi"}); }},
      {"TextFile", 1, "", [](W& w) { return about_file(w, "notes.txt", "Dear diary,\nnothing happened today.\n"); }},
      {"WrongExtension", 1, "", [](W& w) { return about_file(w, "picture.png", "#!/bin/sh\nrm -rf everything\n"); }},
      {"DevZero", 2, "", [](W&) { return about("/dev/zero"); }},
      {"DevUrandom", 2, "", [](W&) { return W::ask({"--video", "/dev/urandom", "hi"}); }},
      {"PipeWithoutWriter", 2, "",
       [](W& w) {
         VL3_CHECK(::mkfifo(w.out("pipe.mp4").c_str(), 0600) == 0, kInternal, "mkfifo");
         return about(w.out("pipe.mp4"));
       }},
      {"StdinEmpty", 1, "", [](W&) { return about("-"); }},
      {"StdinNoise", 1, "",
       [](W& w) {
         w.stdin_bytes = noise(5000);
         return about("-");
       }},
      {"StdinTwice", 2, "",
       [](W& w) {
         w.stdin_bytes = W::bytes_of(W::data("picture.png"));
         return W::ask({"-", "-", "hi"});
       }},
  };
}

std::vector<HostileRow> picture_rows() {
  return {
      {"TruncatedPng", 1, "", [](W& w) { return about(w.cut("picture.png", 0.6)); }},
      {"TruncatedJpeg", 1, "", [](W& w) { return about(w.cut("picture.jpg", 0.7)); }},
      {"TruncatedJpegHeader", 1, "", [](W& w) { return about(w.cut("picture.jpg", 0.05)); }},
      {"TruncatedWebp", 1, "", [](W& w) { return about(w.cut("picture.webp", 0.6)); }},
      {"TruncatedGif", 1, "", [](W& w) { return about(w.cut("picture.gif", 0.6)); }},
      {"TruncatedTiff", 1, "", [](W& w) { return about(w.cut("picture.tiff", 0.5)); }},
      {"PngBomb", 1, "", [](W& w) { return about_file(w, "bomb.png", W::png_header(100000, 100000)); }},
      {"PngOfNoSize", 1, "", [](W& w) { return about_file(w, "none.png", W::png_header(0, 7)); }},
      {"PngWithoutPixels", 1, "", [](W& w) { return about_file(w, "bare.png", W::png_header(64, 64)); }},
      {"PngOneDot", 2, "", [](W& w) { return about_file(w, "thin.png", W::png_header(20000, 1)); }},
      {"PngDamaged", 1, "",
       [](W& w) {
         std::string bytes = W::bytes_of(W::data("picture.png"));
         for (size_t i = bytes.size() / 2; i < bytes.size() / 2 + 8; ++i) bytes[i] = static_cast<char>(~bytes[i]);
         return about_file(w, "damaged.png", bytes);
       }},
      {"GifBomb", 1, "", [](W& w) { return about_file(w, "bomb.gif", "GIF89a\xff\xff\xff\xff" + std::string(3, '\0')); }},
      {"BmpBomb", 1, "",
       [](W& w) {
         std::string bytes = "BM" + std::string(52, '\0');
         bytes[10] = 54, bytes[14] = 40, bytes[26] = 1, bytes[28] = 24;
         for (const size_t side : {18u, 22u}) bytes[side + 2] = 1;  // 65536 x 65536
         return about_file(w, "bomb.bmp", bytes);
       }},
      {"TiffOfItself", 1, "",
       [](W& w) {
         // A directory of no entries whose next directory is itself.
         return about_file(w, "loop.tiff", std::string("II*\0\x08\0\0\0\0\0\x08\0\0\0", 14));
       }},
      {"Svg", 1, "", [](W& w) { return about_file(w, "a.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"); }},
      {"Pdf", 1, "", [](W& w) { return about_file(w, "a.pdf", "%PDF-1.7\n1 0 obj\n"); }},
      {"VideoAsImage", 1, "", [](W&) { return W::ask({"--image", W::data("clip.mp4"), "hi"}); }},
      {"ImageAsVideo", 1, "", [](W&) { return W::ask({"--video", W::data("picture.jpg"), "hi"}); }},
  };
}

std::vector<HostileRow> video_rows() {
  return {
      {"TruncatedMp4Header", 1, "", [](W& w) { return about(w.cut("clip.mp4", 0.3)); }},
      {"TruncatedMp4Data", 1, "", [](W& w) { return about(w.cut("clip.mp4", 0.55)); }},
      {"Mp4WithoutTracks", 1, "",
       [](W& w) {
         return about_file(w, "bare.mp4", std::string("\0\0\0\x10" "ftypisom\0\0\0\0" "\0\0\0\x08" "moov", 24));
       }},
      {"Mp4BoxOfAbsurdSize", 1, "",
       [](W& w) {
         return about_file(w, "box.mp4",
                           std::string("\0\0\0\x10" "ftypisom\0\0\0\0" "\0\0\0\x01" "moov\x7f\xff\xff\xff\xff\xff\xff\xff", 32));
       }},
      {"AudioOnlyMp4", 1, "", [](W&) { return about(W::data("audio_only.mp4")); }},
      {"AudioOnlyMp4AsVideo", 1, "", [](W&) { return W::ask({"--video", W::data("audio_only.mp4"), "hi"}); }},
      {"Playlist", 1, "",
       [](W& w) {
         return about_file(w, "list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n");
       }},
      {"PlaylistAsVideo", 1, "",
       [](W& w) {
         return W::ask({"--video", w.file("list.mp4", "#EXTM3U\n#EXTINF:5,\n/etc/passwd\n"), "hi"});
       }},
      {"ConcatScript", 1, "",
       [](W& w) { return about_file(w, "list.mp4", "ffconcat version 1.0\nfile /etc/passwd\n"); }},
      {"ConcatScriptAsVideo", 1, "",
       [](W& w) { return W::ask({"--video", w.file("list.ffconcat", "ffconcat version 1.0\nfile /etc/passwd\n"), "hi"}); }},
  };
}

std::vector<HostileRow> address_rows() {
  return {
      {"FileUrlOfPasswords", 1, "", [](W&) { return about("file:///etc/passwd"); }},
      {"FileUrlOfAnotherHost", 2, "", [](W&) { return about("file://elsewhere/x.png"); }},
      {"UnknownScheme", 2, "", [](W&) { return about("gopher://x/y.png"); }},
      {"ConcatProtocol", 1, "", [](W&) { return W::ask({"--video", "concat:/etc/passwd|/etc/passwd", "hi"}); }},
      {"PrivateAddress", 2, "", [](W& w) { return about(w.closed_port() + "/x.png"); }},
      {"PrivateAddressInNumbers", 2, "", [](W&) { return about("http://[::ffff:169.254.0.1]/x.png"); }},
      {"ClosedPort", 1, "",
       [](W& w) { return W::ask({"--allow-private-addresses", w.closed_port() + "/x.png", "hi"}); }},
      {"UrlWithoutHost", 2, "", [](W&) { return about("http:///x.png"); }},
      {"UrlBadPort", 2, "", [](W&) { return about("http://127.0.0.1:99999/x.png"); }},
      {"UrlWithPassword", 2, "", [](W&) { return about("http://user:secret@127.0.0.1/x.png"); }},
      {"DataUrlBrokenBase64", 1, "", [](W&) { return about("data:image/png;base64,iVBO*w0KGgo="); }},
      {"DataUrlWithoutComma", 1, "", [](W&) { return about("data:image/png;base64"); }},
      {"DataUrlEmpty", 1, "", [](W&) { return about("data:image/png;base64,"); }},
      {"DataUrlOfText", 1, "", [](W&) { return about("data:text/plain,hello"); }},
  };
}

}  // namespace

std::vector<HostileRow> hostile_media() {
  std::vector<HostileRow> rows = file_rows();
  for (const auto& more : {picture_rows(), video_rows(), address_rows()}) rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace vl3::test
