// The agent's cryptography and TLS: a small interface over mbedTLS 3.6, so that Swift sees plain
// integers and byte buffers only. One thread at a time may use a connection. Functions that return
// an int give 0 for success and a negative mbedTLS or PSA code for failure unless they say otherwise.
#ifndef CTLS_H
#define CTLS_H
#include <stddef.h>
#include <stdint.h>

/// Must succeed before anything else here is called; may be repeated.
int shelfcast_crypto_setup(void);

/// `count` bytes from the system's generator.
int shelfcast_random(uint8_t *_Nonnull into, size_t count);

enum { SHELFCAST_SHA256_BYTES = 32, SHELFCAST_P256_KEY_BYTES = 65, SHELFCAST_P256_SIGNATURE_BYTES = 64 };

/// SHA-256 in pieces. `shelfcast_sha256_finish` writes 32 bytes and ends the state.
typedef struct shelfcast_sha256 shelfcast_sha256;
shelfcast_sha256 *_Nullable shelfcast_sha256_begin(void);
int shelfcast_sha256_add(shelfcast_sha256 *_Nonnull state, const uint8_t *_Nullable bytes, size_t count);
int shelfcast_sha256_finish(shelfcast_sha256 *_Nonnull state, uint8_t *_Nonnull digest);

/// Whether `signature` (r then s, 64 bytes) is an ECDSA P-256 signature over the SHA-256 of `message`
/// by `key` (SEC 1 uncompressed point, 65 bytes). 1 yes, 0 no.
int shelfcast_p256_verify(
    const uint8_t *_Nonnull key, const uint8_t *_Nullable message, size_t message_bytes,
    const uint8_t *_Nonnull signature);

/// Signs as the hub does: r then s, 64 bytes. No device signs anything; this is for the agent's tests.
int shelfcast_p256_sign(
    const uint8_t *_Nonnull key_der, size_t key_bytes, const uint8_t *_Nullable message,
    size_t message_bytes, uint8_t *_Nonnull signature);
/// The public point of a private key: 65 bytes, SEC 1 uncompressed.
int shelfcast_p256_point(
    const uint8_t *_Nonnull key_der, size_t key_bytes, uint8_t *_Nonnull point);

/// A new P-256 private key as DER (SEC 1), at most 256 bytes. Returns its length, negative on failure.
int shelfcast_key_make(uint8_t *_Nonnull der, size_t der_bytes_max);

/// A PKCS #10 request for `key`, signed with it; `name` becomes its subject CN. Returns its length.
int shelfcast_request_make(
    const uint8_t *_Nonnull key_der, size_t key_bytes, const char *_Nonnull name,
    uint8_t *_Nonnull der, size_t der_bytes_max);

/// Whether `certificate` is for the public half of `key`. 1 yes, 0 no, negative: one cannot be read.
int shelfcast_certificate_matches(
    const uint8_t *_Nonnull certificate_der, size_t certificate_bytes,
    const uint8_t *_Nonnull key_der, size_t key_bytes);

/// When `certificate` ends, in seconds since 1970 UTC, and when it began; negative: cannot be read.
int64_t shelfcast_certificate_end(const uint8_t *_Nonnull der, size_t bytes);
int64_t shelfcast_certificate_begin(const uint8_t *_Nonnull der, size_t bytes);

/// What a connection trusts and who it says it is. Buffers are copied by `shelfcast_tls_open`.
typedef struct {
    /// The hub's CA as DER; NULL for joining, where `pinned_sha256` decides.
    const uint8_t *_Nullable ca_der;
    size_t ca_bytes;
    /// SHA-256 of the CA certificate the hub must send and be issued by; used when `ca_der` is NULL.
    const uint8_t *_Nullable pinned_sha256;
    /// The device's own certificate and key as DER; NULL for joining.
    const uint8_t *_Nullable certificate_der;
    size_t certificate_bytes;
    const uint8_t *_Nullable key_der;
    size_t key_bytes;
    /// The name the hub's certificate must carry.
    const char *_Nonnull server_name;
    /// 1 when the local clock is known to be behind: a certificate "from the future" is then no fault.
    /// Chain, signature and name are checked as ever.
    int clock_is_behind;
    /// 1 when the local clock is known to be ahead: a certificate that seems to have expired is then no fault.
    int clock_is_ahead;
} shelfcast_tls_trust;

typedef struct shelfcast_tls shelfcast_tls;

/// A TLS 1.3 client over the connected non-blocking socket `fd`, which stays the caller's to close.
/// NULL on failure, with `*error` set.
shelfcast_tls *_Nullable shelfcast_tls_open(
    int fd, const shelfcast_tls_trust *_Nonnull trust, int *_Nonnull error);
void shelfcast_tls_free(shelfcast_tls *_Nonnull tls);

enum {
    SHELFCAST_TLS_DONE = 0,
    SHELFCAST_TLS_WANT_READ = -1,
    SHELFCAST_TLS_WANT_WRITE = -2,
    SHELFCAST_TLS_CLOSED = -3,
    SHELFCAST_TLS_FAILED = -4,
};

/// One step of the handshake, trust included: after DONE the hub is who it should be.
int shelfcast_tls_handshake(shelfcast_tls *_Nonnull tls);
/// Bytes read (> 0), or one of the codes above.
int shelfcast_tls_read(shelfcast_tls *_Nonnull tls, uint8_t *_Nonnull into, size_t count);
/// Bytes taken (> 0), or one of the codes above. After WANT_* repeat with the same bytes.
int shelfcast_tls_write(shelfcast_tls *_Nonnull tls, const uint8_t *_Nonnull bytes, size_t count);
/// Bytes already decrypted and waiting: poll would not report them.
size_t shelfcast_tls_pending(const shelfcast_tls *_Nonnull tls);
/// Bytes over the wire so far, both ways, handshake included.
uint64_t shelfcast_tls_wire_bytes(const shelfcast_tls *_Nonnull tls);
/// Says goodbye to the peer, as far as it can be said without waiting.
void shelfcast_tls_close(shelfcast_tls *_Nonnull tls);
/// Why the last call FAILED, for an operator. Valid until the next call on `tls`.
const char *_Nonnull shelfcast_tls_error(const shelfcast_tls *_Nonnull tls);
/// The CA certificate that joining accepted, as DER; NULL before.
const uint8_t *_Nullable shelfcast_tls_ca(const shelfcast_tls *_Nonnull tls, size_t *_Nonnull bytes);

#endif
