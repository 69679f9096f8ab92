#include "net/tls/stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "net/tls/failure.h"

namespace arena::net {
namespace {

constexpr std::size_t kRecordBytesMax = 16 << 10;
constexpr std::size_t kBeneathBytesMax = 256 << 10;  // encrypted ahead of what the stream beneath could send
constexpr std::size_t kAnswerBytesMax = 2 * kBeneathBytesMax;  // with the library's answers to a peer that does not read them
constexpr std::size_t kEncryptBytesAtOnce = 64 << 10;

int read_arrived(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  const std::size_t got = static_cast<TlsStream*>(BIO_get_data(bio))->take_arrived(out, static_cast<std::size_t>(size));
  if (got != 0) return static_cast<int>(got);
  BIO_set_retry_read(bio);
  return -1;
}

int write_output(BIO* bio, const char* bytes, int size) {
  static_cast<TlsStream*>(BIO_get_data(bio))->put_output({bytes, static_cast<std::size_t>(size)});
  return size;
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* method() {
  static const BIO_METHOD* const made = [] {
    BIO_METHOD* one = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "arena stream");
    BIO_meth_set_read(one, &read_arrived);
    BIO_meth_set_write(one, &write_output);
    BIO_meth_set_ctrl(one, &control);
    return one;
  }();
  return made;
}

}  // namespace

class TlsDetached final : public DetachedStream {
 public:
  TlsDetached(std::unique_ptr<DetachedStream> beneath, SslHandle ssl, StreamOptionsRef options, std::string output,
              std::string arrived)
      : beneath_(std::move(beneath)),
        ssl_(std::move(ssl)),
        options_(std::move(options)),
        output_(std::move(output)),
        arrived_(std::move(arrived)) {}

  std::unique_ptr<Stream> attach(TlsCore& core, StreamFactory& factory) {
    std::unique_ptr<Stream> beneath = factory.attach(std::move(beneath_));
    if (beneath == nullptr) return nullptr;
    if (!output_.empty()) beneath->write(output_);
    std::unique_ptr<TlsStream> stream(new TlsStream(core, std::move(beneath), std::move(ssl_), std::move(options_)));
    stream->state_ = TlsStream::State::open;
    if (!arrived_.empty()) {
      stream->early_ = std::make_unique<std::string>(std::move(arrived_));
      stream->mark_dirty();
    }
    return stream;
  }

 private:
  std::unique_ptr<DetachedStream> beneath_;
  SslHandle ssl_;
  StreamOptionsRef options_;
  std::string output_;   // encrypted
  std::string arrived_;  // and not decrypted yet
};

StreamOptions options_beneath_tls(const StreamOptions& options) {
  StreamOptions beneath;
  beneath.output_high_bytes = 0;
  beneath.output_low_bytes = 0;
  beneath.close_timeout_ms = options.close_timeout_ms;
  return beneath;
}

std::unique_ptr<Stream> TlsStream::accept(TlsCore& core, std::shared_ptr<const TlsServerContext> context, std::string_view alpn,
                                          std::unique_ptr<Stream> beneath, StreamOptionsRef options) {
  SslHandle ssl = context->begin();
  if (!ssl) return nullptr;
  std::unique_ptr<TlsStream> stream(new TlsStream(core, std::move(beneath), std::move(ssl), std::move(options)));
  stream->handshake_ = std::make_unique<Handshake>(Handshake{std::move(context), nullptr, alpn, {}});
  return stream;
}

std::unique_ptr<Stream> TlsStream::connect(TlsCore& core, std::shared_ptr<const TlsClientContext> context,
                                           const std::string& server_name, std::unique_ptr<Stream> beneath,
                                           StreamOptionsRef options, OnHandshake done) {
  SslHandle ssl = context->begin(server_name);
  if (!ssl) return nullptr;
  std::unique_ptr<TlsStream> stream(new TlsStream(core, std::move(beneath), std::move(ssl), std::move(options)));
  stream->handshake_ = std::make_unique<Handshake>(Handshake{nullptr, std::move(context), {}, std::move(done)});
  SSL_do_handshake(stream->ssl_.get());  // says hello; the answer cannot be there
  return stream;
}

TlsStream::TlsStream(TlsCore& core, std::unique_ptr<Stream> beneath, SslHandle ssl, StreamOptionsRef options)
    : Stream(beneath->peer(), std::move(options)), core_(core), beneath_(std::move(beneath)), ssl_(std::move(ssl)) {
  beneath_->set_handler(this);
  if (BIO* bio = SSL_get_rbio(ssl_.get())) {  // it came from another core
    BIO_set_data(bio, this);
  } else {
    bio = BIO_new(method());
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
  }
  SSL_set_app_data(ssl_.get(), this);
}

TlsStream::~TlsStream() { give_up_handshake(); }

void TlsStream::give_up_handshake() {
  const bool began = handshake_ && (handshake_->begun || handshake_->hello);
  if (began && handshake_->server) core_.count().fail(TlsFailure::gave_up);
  handshake_.reset();
}

std::string_view TlsStream::application_protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  if (ssl_) SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::size_t TlsStream::take_arrived(char* out, std::size_t size) {
  const std::size_t taken = arrived_.copy(out, size);
  arrived_.remove_prefix(taken);
  return taken;
}

// ---- bytes in ----

void TlsStream::on_data(std::string_view bytes) {
  if (state_ != State::handshake && state_ != State::open) return;
  if (state_ == State::handshake && must_wait(bytes)) return;
  const AliveCheck self(alive_);
  arrived_ = bytes;
  receive();
  if (self.alive()) arrived_ = {};
}

// A server does only so many handshakes a turn. A client's first words fit into one record; with more it is none.
bool TlsStream::must_wait(std::string_view bytes) {
  if (handshake_->begun || !handshake_->server || core_.may_begin()) {
    handshake_->begun = true;
    return false;
  }
  if (bytes.size() > kRecordBytesMax) {
    core_.count().fail(TlsFailure::not_tls);
    handshake_.reset();
    end(CloseReason::reset);
    return true;
  }
  early_ = std::make_unique<std::string>(bytes);
  beneath_->pause_reading();
  handshake_->hello = std::make_unique<TlsHello>(*this);
  core_.wait(*handshake_->hello);
  return true;
}

void TlsStream::begin_handshake() {
  handshake_->begun = true;
  handshake_->hello.reset();
  beneath_->resume_reading();
  const std::unique_ptr<std::string> early = std::move(early_);
  on_data(*early);
}

// Everything that can be decrypted is handed over, in as few calls as fit.
void TlsStream::receive() {
  const AliveCheck self(alive_);
  while (true) {
    std::size_t size = 0;
    const Read read = read_records(size);
    if (beneath_->output_bytes() > kAnswerBytesMax) return end(CloseReason::output_full);
    if (state_ == State::handshake) {
      const bool done = SSL_is_init_finished(ssl_.get()) == 1;
      if (!done && read == Read::wait) return;
      if (!done) return fail_handshake();
      if (!finish_handshake()) return;
    }
    if (size != 0 && !hand_over(size)) return;
    if (read == Read::wait) return;
    if (read == Read::ended) return end(CloseReason::peer_closed);
    if (read == Read::failed) {
      ERR_clear_error();
      return end(CloseReason::reset);
    }
  }
}

TlsStream::Read TlsStream::read_records(std::size_t& size) {
  const std::span<char> room = core_.scratch();
  while (room.size() - size >= kRecordBytesMax) {
    const int got = SSL_read(ssl_.get(), room.data() + size, static_cast<int>(room.size() - size));
    if (got > 0) {
      size += static_cast<std::size_t>(got);
      continue;
    }
    switch (SSL_get_error(ssl_.get(), got)) {
      case SSL_ERROR_WANT_READ: return Read::wait;
      case SSL_ERROR_ZERO_RETURN: return Read::ended;
      default: return Read::failed;
    }
  }
  return Read::some;
}

// False: nothing more may be handed over.
bool TlsStream::hand_over(std::size_t size) {
  const AliveCheck self(alive_);
  assert(handler_ != nullptr);
  handler_->on_data(std::string_view(core_.scratch().data(), size));
  return self.alive() && state_ == State::open;
}

bool TlsStream::finish_handshake() {
  state_ = State::open;
  const std::unique_ptr<Handshake> done = std::move(handshake_);
  core_.count().handshakes.add();
  if (SSL_session_reused(ssl_.get()) == 1) core_.count().resumed.add();
  if (!output_.empty()) mark_dirty();
  if (!done || !done->done) return true;
  const AliveCheck self(alive_);
  done->done(Unit{});
  return self.alive() && state_ == State::open;
}

void TlsStream::fail_handshake() {
  const TlsEnd why = judge_end(ssl_.get());
  const std::unique_ptr<Handshake> done = std::move(handshake_);
  if (done->server) core_.count().fail(why.failure);
  report_failure(peer_.ip(), why, done->server != nullptr);
  end(CloseReason::reset);
  if (done->done) done->done(fail_with(why.text));
}

// Says goodbye, and what the library has to say about a failure.
void TlsStream::end(CloseReason reason) {
  if (state_ == State::dead) return;
  reason_ = reason;
  reason_known_ = true;
  close();
}

// ---- bytes out ----

void TlsStream::on_first_output() {
  core_.spares().prepare(output_);
}

void TlsStream::on_core_turn() {
  dirty_ = false;
  if (state_ == State::closing || state_ == State::dead) return drop_output();
  const AliveCheck self(alive_);
  if (early_ && state_ == State::open) {
    const std::unique_ptr<std::string> early = std::move(early_);
    on_data(*early);
    if (!self.alive()) return;
  }
  if (state_ == State::open) encrypt(kBeneathBytesMax);
}

void TlsStream::encrypt(std::size_t beneath_max) {
  if (output_bytes() > certain_room()) writable_owed_ = true;
  std::size_t done = 0;
  while (done < output_.size() && beneath_->output_bytes() < beneath_max) {
    const std::size_t size = std::min(output_.size() - done, kEncryptBytesAtOnce);
    if (SSL_write(ssl_.get(), output_.data() + done, static_cast<int>(size)) <= 0) {
      // Nothing here can block, so this is the end of it.
      ERR_clear_error();
      done = output_.size();
      end(CloseReason::reset);
      break;
    }
    done += size;
  }
  if (done == output_.size()) {
    drop_output();
  } else {
    output_.erase(0, done);
  }
  ahead_bytes_ = static_cast<uint32_t>(beneath_->output_bytes());
  // The usual turn's output is out at its end: no need for the shared count to move twice.
  if (stuck_ || output_bytes() > OutputBudget::kLittleBytes) account_output();
  stuck_ = output_bytes() != 0;
}

void TlsStream::drop_output() { core_.spares().give(std::exchange(output_, {})); }

// All that was encrypted has been sent.
void TlsStream::on_writable() {
  ahead_bytes_ = 0;
  stuck_ = false;
  if (state_ == State::open && !output_.empty()) encrypt(kBeneathBytesMax);
  account_output();
  after_output();
}

void TlsStream::after_output() {
  if (state_ != State::open || !writable_owed_ || !drained()) return;
  writable_owed_ = false;
  if (handler_ != nullptr) handler_->on_writable();
}

// ---- the end ----

void TlsStream::close() {
  if (state_ == State::closing || state_ == State::dead) return;
  const bool shaken = state_ == State::open;
  give_up_handshake();
  state_ = State::closing;
  if (shaken) {
    encrypt(SIZE_MAX);
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  beneath_->close();
}

void TlsStream::abort() {
  handler_ = nullptr;
  give_up_handshake();
  state_ = State::dead;
  ListNode<TlsOutputTag>::unlink();
  beneath_->abort();
  ahead_bytes_ = 0;
  drop_output();
  account_output();
}

void TlsStream::on_closed(CloseReason reason) {
  if (state_ == State::handshake) {
    OnHandshake done = std::move(handshake_->done);
    give_up_handshake();
    state_ = State::dead;
    const AliveCheck self(alive_);
    if (done) done(fail("the server closed the connection during the TLS handshake"));
    if (!self.alive()) return;
  }
  state_ = State::dead;
  ListNode<TlsOutputTag>::unlink();
  ahead_bytes_ = 0;
  drop_output();
  account_output();
  if (StreamHandler* handler = std::exchange(handler_, nullptr)) handler->on_closed(reason_known_ ? reason_ : reason);
}

// ---- to another core ----

std::unique_ptr<DetachedStream> TlsStream::detach() {
  if (state_ != State::open || !output_.empty()) return nullptr;
  // Tickets that were promised with the handshake may not be out.
  std::string encrypted;
  if (beneath_->output_bytes() != 0) encrypted.swap(beneath_->output());
  std::unique_ptr<DetachedStream> beneath = beneath_->detach();
  if (beneath == nullptr) return nullptr;
  std::string arrived(arrived_);
  if (early_) arrived = std::move(*early_);
  handler_ = nullptr;
  state_ = State::dead;
  ListNode<TlsOutputTag>::unlink();
  ahead_bytes_ = 0;
  account_output();
  return std::make_unique<TlsDetached>(std::move(beneath), std::move(ssl_), options_, std::move(encrypted), std::move(arrived));
}

std::unique_ptr<Stream> TlsStreamFactory::attach(std::unique_ptr<DetachedStream> detached) {
  if (auto* tls = dynamic_cast<TlsDetached*>(detached.get())) return tls->attach(core_, beneath_);
  return beneath_.attach(std::move(detached));
}

}  // namespace arena::net
