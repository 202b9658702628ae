// TLS over a non-blocking socket with OpenSSL; see transport.h.
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "core/check.h"
#include "net/fetch.h"
#include "net/transport.h"

namespace vl3::net {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason != nullptr ? reason : "the connection was closed";
}

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE when the peer is gone; a library must
// not let that end its process. This is the same BIO with send(MSG_NOSIGNAL).
int quiet_write(BIO* bio, const char* data, int size) {
  int fd = -1;
  BIO_get_fd(bio, &fd);
  BIO_clear_retry_flags(bio);
  const ssize_t put = ::send(fd, data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (put < 0 && BIO_sock_should_retry(-1) != 0) BIO_set_retry_write(bio);
  return static_cast<int>(put);
}

const BIO_METHOD* quiet_socket_method() {
  static const BIO_METHOD* const method = [] {
    const BIO_METHOD* socket = BIO_s_socket();
    BIO_METHOD* made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "vl3 socket");
    VL3_CHECK(made != nullptr, kInternal, "OpenSSL: no BIO method");
    BIO_meth_set_write(made, quiet_write);
    BIO_meth_set_read(made, BIO_meth_get_read(socket));
    BIO_meth_set_ctrl(made, BIO_meth_get_ctrl(socket));
    BIO_meth_set_create(made, BIO_meth_get_create(socket));
    BIO_meth_set_destroy(made, BIO_meth_get_destroy(socket));
    return made;
  }();
  return method;
}

class TlsTransport : public Transport {
 public:
  TlsTransport(std::unique_ptr<Socket> socket, const Url& url) : socket_(std::move(socket)) {
    // A context a connection: certificates are looked up by hash when needed, so this is cheap, and
    // $SSL_CERT_FILE is honoured as it stands now.
    context_.reset(SSL_CTX_new(TLS_client_method()));
    VL3_CHECK(context_ != nullptr, kInternal, "OpenSSL: {}", openssl_reason());
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_default_verify_paths(context_.get());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    ssl_.reset(SSL_new(context_.get()));
    std::unique_ptr<BIO, Free> bio(BIO_new(quiet_socket_method()));
    VL3_CHECK(ssl_ != nullptr && bio != nullptr, kInternal, "OpenSSL: {}", openssl_reason());
    BIO_set_fd(bio.get(), socket_->fd(), BIO_NOCLOSE);
    BIO* shared = bio.release();
    SSL_set_bio(ssl_.get(), shared, shared);
    name_peer(url.host);
  }

  void handshake(const Url& url, const Deadline& deadline) {
    for (;;) {
      ERR_clear_error();
      const int result = SSL_connect(ssl_.get());
      if (result == 1) return;
      if (wait_retry(result, deadline)) continue;
      const long verdict = SSL_get_verify_result(ssl_.get());
      if (verdict != X509_V_OK) {
        throw FetchError(ErrorCode::kInvalidArgument,
                         fmt::format("the certificate of {} does not hold: {}", url.host,
                                     X509_verify_cert_error_string(verdict)),
                         0, false);
      }
      throw FetchError(ErrorCode::kCorrupt,
                       fmt::format("no TLS connection to {}: {}", url.authority(), openssl_reason()), 0,
                       true);
    }
  }

  size_t read(char* data, size_t size, const Deadline& deadline) override {
    for (;;) {
      ERR_clear_error();
      size_t got = 0;
      const int result = SSL_read_ex(ssl_.get(), data, size, &got);
      if (result == 1) return got;
      // Only an orderly close ends a body; a cut connection could hide the rest of it.
      if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) return 0;
      if (!wait_retry(result, deadline)) fail("reading");
    }
  }

  void write(const char* data, size_t size, const Deadline& deadline) override {
    while (size > 0) {
      ERR_clear_error();
      size_t put = 0;
      const int result = SSL_write_ex(ssl_.get(), data, size, &put);
      if (result == 1) {
        data += put;
        size -= put;
      } else if (!wait_retry(result, deadline)) {
        fail("sending the request");
      }
    }
  }

 private:
  void name_peer(const std::string& host) {
    in6_addr ignored{};
    const bool literal =
        inet_pton(AF_INET, host.c_str(), &ignored) == 1 || inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
    bool done = false;
    if (literal) {
      done = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1;
    } else {
      SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      done = SSL_set1_host(ssl_.get(), host.c_str()) == 1 &&
             SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) == 1;
    }
    VL3_CHECK(done, kInternal, "OpenSSL: host {} cannot be set: {}", host, openssl_reason());
  }

  /// True after waiting when OpenSSL only wants the socket to be ready.
  bool wait_retry(int result, const Deadline& deadline) {
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
    wait_ready(socket_->fd(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline);
    return true;
  }

  [[noreturn]] static void fail(const char* what) {
    throw FetchError(ErrorCode::kCorrupt, fmt::format("{} failed: {}", what, openssl_reason()), 0, true);
  }

  std::unique_ptr<Socket> socket_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace

std::unique_ptr<Transport> tls_transport(std::unique_ptr<Socket> socket, const Url& url,
                                         const Deadline& deadline) {
  auto transport = std::make_unique<TlsTransport>(std::move(socket), url);
  transport->handshake(url, deadline);
  return transport;
}

}  // namespace vl3::net
