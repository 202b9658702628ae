// Certificates: made here, so that the good one, the unknown one and the one for another host are all at
// hand.
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <memory>

#include "net/fetch.h"
#include "net/loopback.h"
#include "support/temp_dir.h"

namespace vl3::net {
namespace {

using test::error_of;
using test::loopback_options;
using test::TempDir;

struct Free {
  void operator()(X509* x) const { X509_free(x); }
  void operator()(EVP_PKEY* x) const { EVP_PKEY_free(x); }
  void operator()(BIO* x) const { BIO_free(x); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;

/// Self-signed for `names` ("IP:127.0.0.1" or "DNS:localhost"), valid from now + from_s to now + until_s.
Certificate make_certificate(EVP_PKEY* key, const char* names, long from_s = -3600, long until_s = 3600) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), until_s);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("vl3 test"), -1,
                             -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  for (const auto& [id, value] :
       {std::pair{NID_subject_alt_name, names}, {NID_basic_constraints, "CA:TRUE"}}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate.get(), key, EVP_sha256());
  return certificate;
}

class TlsServer {
 public:
  explicit TlsServer(const char* names, long from_s = -3600, long until_s = 3600)
      : key_(EVP_EC_gen("P-256")),
        certificate_(make_certificate(key_.get(), names, from_s, until_s)),
        http_(certificate_.get(), key_.get()) {
    http_.Get("/a",
              [](const httplib::Request&, httplib::Response& r) { r.set_content("sealed", "text/plain"); });
    http_.Get("/down", [this](const httplib::Request&, httplib::Response& r) {
      r.status = 302;
      r.set_header("Location", downgrade);
    });
    test::be_patient(http_);
    port_ = http_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { http_.listen_after_bind(); });
    while (!http_.is_running()) std::this_thread::yield();
  }
  ~TlsServer() {
    http_.stop();
    thread_.join();
  }
  std::string url(const char* path, const char* host = "127.0.0.1") const {
    return fmt::format("https://{}:{}{}", host, port_, path);
  }
  std::string pem() const {
    const std::unique_ptr<BIO, Free> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<size_t>(size)};
  }

  std::string downgrade;

 private:
  Key key_;
  Certificate certificate_;
  httplib::SSLServer http_;
  int port_ = 0;
  std::thread thread_;
};

/// Makes `server` known as an authority while in scope.
class Trust {
 public:
  explicit Trust(const TlsServer& server) {
    ::setenv("SSL_CERT_FILE", dir_.write("ca.pem", server.pem()).c_str(), 1);
  }
  ~Trust() { ::unsetenv("SSL_CERT_FILE"); }

 private:
  TempDir dir_;
};

TEST(Tls, AcceptsAKnownCertificateForTheHost) {
  const TlsServer server("IP:127.0.0.1,DNS:localhost");
  const Trust trust(server);
  EXPECT_EQ(fetch(server.url("/a"), loopback_options()).body, "sealed");
  EXPECT_EQ(fetch(server.url("/a", "localhost"), loopback_options()).body, "sealed");
}

TEST(Tls, RefusesUnknownForeignAndExpiredCertificates) {
  const TlsServer unknown("IP:127.0.0.1");
  const std::string error = error_of([&] { fetch(unknown.url("/a"), loopback_options()); });
  EXPECT_TRUE(error.starts_with("invalid argument")) << error;
  EXPECT_NE(error.find("certificate of 127.0.0.1 does not hold: self-signed"), std::string::npos) << error;

  const TlsServer foreign("IP:127.0.0.2,DNS:elsewhere.test");
  {
    const Trust trust(foreign);
    EXPECT_NE(error_of([&] { fetch(foreign.url("/a"), loopback_options()); }).find("mismatch"),
              std::string::npos);
    EXPECT_NE(error_of([&] { fetch(foreign.url("/a", "localhost"), loopback_options()); }).find("mismatch"),
              std::string::npos);
  }
  const TlsServer expired("IP:127.0.0.1", -7200, -3600);
  const Trust trust(expired);
  EXPECT_NE(error_of([&] { fetch(expired.url("/a"), loopback_options()); }).find("expired"),
            std::string::npos);
}

TEST(Tls, RedirectsFromHttpsToHttpAreNotFollowed) {
  test::LoopbackServer plain;
  plain.http.Get("/a",
                 [](const httplib::Request&, httplib::Response& r) { r.set_content("open", "text/plain"); });
  plain.start();
  TlsServer server("IP:127.0.0.1");
  server.downgrade = plain.url("/a");
  const Trust trust(server);
  EXPECT_NE(error_of([&] { fetch(server.url("/down"), loopback_options()); }).find("unprotected http"),
            std::string::npos);
}

TEST(Tls, APlainServerIsNoTlsServer) {
  test::LoopbackServer plain;
  plain.start();
  const std::string url = fmt::format("https://127.0.0.1:{}/", plain.port());
  FetchOptions options = loopback_options();
  options.timeout_s = 3;
  EXPECT_NE(error_of([&] { fetch(url, options); }), "");
}

TEST(Tls, AHandshakeThatNeverEndsMeetsTheDeadline) {
  const test::RawServer server([](int, const test::RawServer& self) {
    while (!self.stopping()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  FetchOptions options = loopback_options();
  options.timeout_s = 0.4;
  const std::string url = fmt::format("https://127.0.0.1:{}/", server.port());
  EXPECT_NE(error_of([&] { fetch(url, options); }).find("time limit"), std::string::npos);
}

}  // namespace
}  // namespace vl3::net
