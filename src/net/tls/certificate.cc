#include "net/tls/certificate.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <utility>

#include "net/tls/handles.h"

namespace arena::net {
namespace {

constexpr int kSerialBits = 127;
constexpr int64_t kClockSkewS = 300;  // a peer's clock may be a little behind

Failure<Error> library_failure(std::string what) {
  char text[256] = "unknown";
  if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return fail_with(std::move(what) + ": " + text);
}

std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

BioHandle memory_of(std::string_view text) { return BioHandle(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

X509Handle read_certificate(std::string_view pem) {
  const BioHandle memory = memory_of(pem);
  return X509Handle(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
}

KeyHandle read_key(std::string_view pem) {
  const BioHandle memory = memory_of(pem);
  return KeyHandle(PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr));
}

std::string numeric_bytes(const std::string& name) {
  unsigned char bytes[16];
  if (::inet_pton(AF_INET, name.c_str(), bytes) == 1) return {reinterpret_cast<char*>(bytes), 4};
  if (::inet_pton(AF_INET6, name.c_str(), bytes) == 1) return {reinterpret_cast<char*>(bytes), 16};
  return {};
}

std::string numeric_text(const unsigned char* bytes, int size) {
  char text[INET6_ADDRSTRLEN] = "";
  if (size == 4) ::inet_ntop(AF_INET, bytes, text, sizeof text);
  if (size == 16) ::inet_ntop(AF_INET6, bytes, text, sizeof text);
  return text;
}

bool add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// Not by the text form above, in which a name could say more than a name.
bool add_names(X509* certificate, const std::vector<std::string>& names) {
  GENERAL_NAMES* list = GENERAL_NAMES_new();
  bool added = list != nullptr;
  for (const std::string& name : names) {
    if (!added) break;
    const std::string numeric = numeric_bytes(name);
    GENERAL_NAME* one = GENERAL_NAME_new();
    ASN1_STRING* value = numeric.empty() ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();
    const std::string& bytes = numeric.empty() ? name : numeric;
    ASN1_STRING_set(value, bytes.data(), static_cast<int>(bytes.size()));
    GENERAL_NAME_set0_value(one, numeric.empty() ? GEN_DNS : GEN_IPADD, value);
    added = sk_GENERAL_NAME_push(list, one) > 0;
  }
  added = added && X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, 0) == 1;
  GENERAL_NAMES_free(list);
  return added;
}

// Everything but extensions and signature.
X509Handle begin_certificate(const std::string& name, EVP_PKEY* key, X509* issuer, int64_t now_s, int days) {
  X509Handle made(X509_new());
  BIGNUM* serial = BN_new();
  const bool numbered = BN_rand(serial, kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                        BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(made.get())) != nullptr;
  BN_free(serial);
  X509_NAME* subject = X509_get_subject_name(made.get());
  const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
  const bool named = X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1;
  const bool complete = numbered && named && X509_set_version(made.get(), 2) == 1 &&
                        X509_set_issuer_name(made.get(), issuer == nullptr ? subject : X509_get_subject_name(issuer)) == 1 &&
                        ASN1_TIME_set(X509_getm_notBefore(made.get()), now_s - kClockSkewS) != nullptr &&
                        ASN1_TIME_set(X509_getm_notAfter(made.get()), now_s + int64_t{days} * 86'400) != nullptr &&
                        X509_set_pubkey(made.get(), key) == 1;
  return complete ? std::move(made) : X509Handle();
}

CertificateAndKey texts_of(X509* certificate, EVP_PKEY* key) {
  const BioHandle certificate_text(BIO_new(BIO_s_mem()));
  const BioHandle key_text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate_text.get(), certificate);
  PEM_write_bio_PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return {text_of(certificate_text.get()), text_of(key_text.get())};
}

std::string name_text(const X509_NAME* name) {
  const BioHandle text(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  return text_of(text.get());
}

int64_t unix_time(const ASN1_TIME* time) {
  tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? int64_t{timegm(&parts)} : 0;
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> out;
  auto* list = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(list); ++i) {
    int kind = 0;
    const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(list, i), &kind));
    const unsigned char* bytes = kind == GEN_DNS || kind == GEN_IPADD ? ASN1_STRING_get0_data(value) : nullptr;
    if (bytes == nullptr) continue;
    const int size = ASN1_STRING_length(value);
    out.push_back(kind == GEN_DNS ? std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size))
                                  : numeric_text(bytes, size));
  }
  GENERAL_NAMES_free(list);
  return out;
}

}  // namespace

Result<CertificateAndKey> make_authority(const std::string& name, int64_t now_s, int days) {
  const KeyHandle key(EVP_EC_gen("P-256"));
  if (!key) return library_failure("cannot make a key");
  const X509Handle made = begin_certificate(name, key.get(), nullptr, now_s, days);
  if (!made || !add_extension(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(made.get(), made.get(), NID_subject_key_identifier, "hash") ||
      X509_sign(made.get(), key.get(), EVP_sha256()) == 0) {
    return library_failure("cannot make a certificate authority");
  }
  return texts_of(made.get(), key.get());
}

Result<CertificateAndKey> issue_certificate(const CertificateAndKey& authority, const std::vector<std::string>& names,
                                            int64_t now_s, int days) {
  const X509Handle issuer = read_certificate(authority.certificate);
  const KeyHandle issuer_key = read_key(authority.key);
  if (!issuer || !issuer_key || names.empty()) return library_failure("cannot read the authority");
  const KeyHandle key(EVP_EC_gen("P-256"));
  if (!key) return library_failure("cannot make a key");
  const X509Handle made = begin_certificate(names.front(), key.get(), issuer.get(), now_s, days);
  if (!made || !add_extension(made.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(made.get(), issuer.get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(made.get(), issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth") ||
      !add_extension(made.get(), issuer.get(), NID_subject_key_identifier, "hash") ||
      !add_extension(made.get(), issuer.get(), NID_authority_key_identifier, "keyid:always") ||
      !add_names(made.get(), names) || X509_sign(made.get(), issuer_key.get(), EVP_sha256()) == 0) {
    return library_failure("cannot issue a certificate");
  }
  return texts_of(made.get(), key.get());
}

Result<CertificateFacts> certificate_facts(std::string_view pem) {
  const X509Handle certificate = read_certificate(pem);
  if (!certificate) return library_failure("no certificate can be read");
  CertificateFacts facts;
  facts.subject = name_text(X509_get_subject_name(certificate.get()));
  facts.names = names_of(certificate.get());
  facts.not_before_s = unix_time(X509_get0_notBefore(certificate.get()));
  facts.not_after_s = unix_time(X509_get0_notAfter(certificate.get()));
  facts.self_signed = X509_NAME_cmp(X509_get_subject_name(certificate.get()), X509_get_issuer_name(certificate.get())) == 0;
  return facts;
}

}  // namespace arena::net
