#include "CTLS.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <psa/crypto.h>

// The library's generator and key slots are the program's own and have no lock. The agent has one thread; a program that
// is many devices at once has more.
static pthread_mutex_t global_state = PTHREAD_MUTEX_INITIALIZER;

static int random_bytes(void *state, unsigned char *into, size_t count) {
    pthread_mutex_lock(&global_state);
    int result = mbedtls_psa_get_random(state, into, count);
    pthread_mutex_unlock(&global_state);
    return result;
}

int shelfcast_crypto_setup(void) {
    pthread_mutex_lock(&global_state);
    psa_status_t status = psa_crypto_init();
    pthread_mutex_unlock(&global_state);
    return status == PSA_SUCCESS ? 0 : -1;
}

int shelfcast_random(uint8_t *into, size_t count) {
    pthread_mutex_lock(&global_state);
    psa_status_t status = psa_generate_random(into, count);
    pthread_mutex_unlock(&global_state);
    return status == PSA_SUCCESS ? 0 : -1;
}

// SHA-256

struct shelfcast_sha256 {
    psa_hash_operation_t operation;
};

shelfcast_sha256 *shelfcast_sha256_begin(void) {
    shelfcast_sha256 *state = calloc(1, sizeof *state);
    if (state == NULL) return NULL;
    state->operation = psa_hash_operation_init();
    if (psa_hash_setup(&state->operation, PSA_ALG_SHA_256) != PSA_SUCCESS) {
        free(state);
        return NULL;
    }
    return state;
}

int shelfcast_sha256_add(shelfcast_sha256 *state, const uint8_t *bytes, size_t count) {
    if (count == 0) return 0;
    return psa_hash_update(&state->operation, bytes, count) == PSA_SUCCESS ? 0 : -1;
}

int shelfcast_sha256_finish(shelfcast_sha256 *state, uint8_t *digest) {
    size_t length = 0;
    psa_status_t status =
        psa_hash_finish(&state->operation, digest, SHELFCAST_SHA256_BYTES, &length);
    psa_hash_abort(&state->operation);
    free(state);
    return status == PSA_SUCCESS && length == SHELFCAST_SHA256_BYTES ? 0 : -1;
}

// Signatures and keys

int shelfcast_p256_verify(
    const uint8_t *key, const uint8_t *message, size_t message_bytes, const uint8_t *signature) {
    psa_key_attributes_t attributes = psa_key_attributes_init();
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_MESSAGE);
    psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
    psa_key_id_t id = 0;
    pthread_mutex_lock(&global_state);
    psa_status_t status = psa_import_key(&attributes, key, SHELFCAST_P256_KEY_BYTES, &id);
    if (status == PSA_SUCCESS) {
        status = psa_verify_message(
            id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), message, message_bytes, signature,
            SHELFCAST_P256_SIGNATURE_BYTES);
        psa_destroy_key(id);
    }
    pthread_mutex_unlock(&global_state);
    return status == PSA_SUCCESS ? 1 : 0;
}

// mbedTLS writes DER from the end of a buffer towards its start.
static int moved_to_start(uint8_t *buffer, size_t size, int written) {
    if (written > 0) memmove(buffer, buffer + size - (size_t)written, (size_t)written);
    return written;
}

int shelfcast_key_make(uint8_t *der, size_t der_bytes_max) {
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    int result = mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (result == 0)
        result = mbedtls_ecp_gen_key(
            MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), random_bytes,
            MBEDTLS_PSA_RANDOM_STATE);
    if (result == 0)
        result = moved_to_start(
            der, der_bytes_max, mbedtls_pk_write_key_der(&key, der, der_bytes_max));
    mbedtls_pk_free(&key);
    return result;
}

static int parse_key(mbedtls_pk_context *key, const uint8_t *der, size_t bytes) {
    return mbedtls_pk_parse_key(
        key, der, bytes, NULL, 0, random_bytes, MBEDTLS_PSA_RANDOM_STATE);
}

int shelfcast_p256_sign(
    const uint8_t *key_der, size_t key_bytes, const uint8_t *message, size_t message_bytes,
    uint8_t *signature) {
    mbedtls_pk_context key;
    mbedtls_mpi r, s;
    uint8_t digest[SHELFCAST_SHA256_BYTES];
    size_t length = 0;
    mbedtls_pk_init(&key);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    int result = parse_key(&key, key_der, key_bytes);
    if (result == 0
        && psa_hash_compute(
               PSA_ALG_SHA_256, message, message_bytes, digest, sizeof digest, &length)
            != PSA_SUCCESS)
        result = -1;
    if (result == 0) {
        mbedtls_ecp_keypair *pair = mbedtls_pk_ec(key);
        result = mbedtls_ecdsa_sign(
            &pair->MBEDTLS_PRIVATE(grp), &r, &s, &pair->MBEDTLS_PRIVATE(d), digest, sizeof digest,
            random_bytes, MBEDTLS_PSA_RANDOM_STATE);
    }
    if (result == 0) result = mbedtls_mpi_write_binary(&r, signature, 32);
    if (result == 0) result = mbedtls_mpi_write_binary(&s, signature + 32, 32);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    mbedtls_pk_free(&key);
    return result;
}

int shelfcast_p256_point(const uint8_t *key_der, size_t key_bytes, uint8_t *point) {
    mbedtls_pk_context key;
    size_t length = 0;
    mbedtls_pk_init(&key);
    int result = parse_key(&key, key_der, key_bytes);
    if (result == 0)
        result = mbedtls_ecp_write_public_key(
            mbedtls_pk_ec(key), MBEDTLS_ECP_PF_UNCOMPRESSED, &length, point,
            SHELFCAST_P256_KEY_BYTES);
    mbedtls_pk_free(&key);
    return result;
}

int shelfcast_request_make(
    const uint8_t *key_der, size_t key_bytes, const char *name, uint8_t *der,
    size_t der_bytes_max) {
    mbedtls_pk_context key;
    mbedtls_x509write_csr request;
    char subject[80];
    mbedtls_pk_init(&key);
    mbedtls_x509write_csr_init(&request);
    snprintf(subject, sizeof subject, "CN=%.64s", name);
    int result = parse_key(&key, key_der, key_bytes);
    if (result == 0) {
        mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
        mbedtls_x509write_csr_set_key(&request, &key);
        result = mbedtls_x509write_csr_set_subject_name(&request, subject);
    }
    if (result == 0)
        result = moved_to_start(
            der, der_bytes_max,
            mbedtls_x509write_csr_der(
                &request, der, der_bytes_max, random_bytes, MBEDTLS_PSA_RANDOM_STATE));
    mbedtls_x509write_csr_free(&request);
    mbedtls_pk_free(&key);
    return result;
}

int shelfcast_certificate_matches(
    const uint8_t *certificate_der, size_t certificate_bytes, const uint8_t *key_der,
    size_t key_bytes) {
    mbedtls_pk_context key;
    mbedtls_x509_crt certificate;
    mbedtls_pk_init(&key);
    mbedtls_x509_crt_init(&certificate);
    int result = parse_key(&key, key_der, key_bytes);
    if (result == 0)
        result = mbedtls_x509_crt_parse_der(&certificate, certificate_der, certificate_bytes);
    if (result == 0)
        result = mbedtls_pk_check_pair(
                     &certificate.pk, &key, random_bytes, MBEDTLS_PSA_RANDOM_STATE) == 0
                     ? 1
                     : 0;
    mbedtls_x509_crt_free(&certificate);
    mbedtls_pk_free(&key);
    return result;
}

// Days from 1970-01-01 of a proleptic Gregorian date, by counting 400-year eras from March.
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    if (month <= 2) year -= 1;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
        - 719468;
}

static int64_t seconds_of(const mbedtls_x509_time *t) {
    return days_of(t->year, t->mon, t->day) * 86400 + t->hour * 3600 + t->min * 60 + t->sec;
}

int64_t shelfcast_certificate_end(const uint8_t *der, size_t bytes) {
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    int64_t result = mbedtls_x509_crt_parse_der(&certificate, der, bytes);
    if (result == 0) result = seconds_of(&certificate.valid_to);
    mbedtls_x509_crt_free(&certificate);
    return result;
}

int64_t shelfcast_certificate_begin(const uint8_t *der, size_t bytes) {
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    int64_t result = mbedtls_x509_crt_parse_der(&certificate, der, bytes);
    if (result == 0) result = seconds_of(&certificate.valid_from);
    mbedtls_x509_crt_free(&certificate);
    return result;
}

// Connections

struct shelfcast_tls {
    int fd;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt ca;
    mbedtls_x509_crt own;
    mbedtls_pk_context key;
    int joining;
    int clock_is_behind;
    int clock_is_ahead;
    uint64_t wire_bytes;
    int handshaken;
    uint8_t pinned[SHELFCAST_SHA256_BYTES];
    char server_name[64];
    char error[320];
};

static int send_some(void *context, const unsigned char *bytes, size_t count) {
    shelfcast_tls *tls = context;
    ssize_t sent = send(tls->fd, bytes, count, MSG_NOSIGNAL);
    if (sent >= 0) {
        tls->wire_bytes += (uint64_t)sent;
        return (int)sent;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return MBEDTLS_ERR_SSL_WANT_WRITE;
    snprintf(tls->error, sizeof tls->error, "the connection broke: %s", strerror(errno));
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int receive_some(void *context, unsigned char *into, size_t count) {
    shelfcast_tls *tls = context;
    ssize_t received = recv(tls->fd, into, count, 0);
    if (received >= 0) {
        tls->wire_bytes += (uint64_t)received;
        return (int)received;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return MBEDTLS_ERR_SSL_WANT_READ;
    snprintf(tls->error, sizeof tls->error, "the connection broke: %s", strerror(errno));
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

// A device whose clock stands at 1970 must not be locked out by "not yet valid". Everything else
// about the certificate counts.
static int judge(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
    const shelfcast_tls *tls = context;
    (void)certificate;
    (void)depth;
    if (tls->clock_is_behind) *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_FUTURE;
    if (tls->clock_is_ahead) *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_EXPIRED;
    return 0;
}

static void explain_flags(shelfcast_tls *tls, uint32_t flags) {
    const char *why = "its certificate cannot be trusted";
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        why = "its certificate was not issued by the CA this device joined";
    else if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
        why = "its certificate does not carry the name of a hub";
    else if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
        why = "its certificate has expired (or this device's clock is ahead)";
    else if (flags & MBEDTLS_X509_BADCERT_FUTURE)
        why = "its certificate is not valid yet (or this device's clock is behind)";
    snprintf(tls->error, sizeof tls->error, "this is not our hub: %s", why);
}

static void explain(shelfcast_tls *tls, int code) {
    if (tls->error[0] != 0) return;
    switch (code) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        snprintf(
            tls->error, sizeof tls->error,
            tls->handshaken ? "the hub ended TLS with an alert: it does not accept this device's "
                              "certificate (revoked, expired, or from another hub)"
                            : "the hub refused the TLS handshake");
        return;
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
        snprintf(tls->error, sizeof tls->error, "the peer does not speak TLS 1.3");
        return;
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
    case MBEDTLS_ERR_SSL_DECODE_ERROR:
        snprintf(
            tls->error, sizeof tls->error,
            "what answers does not speak TLS: a captive portal or a proxy, or not the hub's port");
        return;
    default:
        // The texts for all of its codes would take more room than SHA-256.
        snprintf(
            tls->error, sizeof tls->error, "TLS failed with mbedTLS's error -0x%04x",
            (unsigned)-code);
    }
}

shelfcast_tls *shelfcast_tls_open(int fd, const shelfcast_tls_trust *trust, int *error) {
    shelfcast_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        *error = MBEDTLS_ERR_SSL_ALLOC_FAILED;
        return NULL;
    }
    tls->fd = fd;
    tls->joining = trust->ca_der == NULL;
    tls->clock_is_behind = trust->clock_is_behind;
    tls->clock_is_ahead = trust->clock_is_ahead;
    if (trust->pinned_sha256 != NULL) memcpy(tls->pinned, trust->pinned_sha256, sizeof tls->pinned);
    snprintf(tls->server_name, sizeof tls->server_name, "%s", trust->server_name);
    mbedtls_ssl_init(&tls->ssl);
    mbedtls_ssl_config_init(&tls->config);
    mbedtls_x509_crt_init(&tls->ca);
    mbedtls_x509_crt_init(&tls->own);
    mbedtls_pk_init(&tls->key);

    int result = mbedtls_ssl_config_defaults(
        &tls->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
        MBEDTLS_SSL_PRESET_DEFAULT);
    if (result == 0) {
        mbedtls_ssl_conf_rng(&tls->config, random_bytes, MBEDTLS_PSA_RANDOM_STATE);
        mbedtls_ssl_conf_min_tls_version(&tls->config, MBEDTLS_SSL_VERSION_TLS1_3);
        mbedtls_ssl_conf_max_tls_version(&tls->config, MBEDTLS_SSL_VERSION_TLS1_3);
        mbedtls_ssl_conf_verify(&tls->config, judge, tls);
        // Joining: the CA is only known once the hub has sent it, so the handshake collects and
        // `check_pinned` decides, before a byte of ours goes out.
        mbedtls_ssl_conf_authmode(
            &tls->config,
            tls->joining ? MBEDTLS_SSL_VERIFY_OPTIONAL : MBEDTLS_SSL_VERIFY_REQUIRED);
        if (!tls->joining) {
            result = mbedtls_x509_crt_parse_der(&tls->ca, trust->ca_der, trust->ca_bytes);
            mbedtls_ssl_conf_ca_chain(&tls->config, &tls->ca, NULL);
        }
    }
    if (result == 0 && trust->certificate_der != NULL) {
        result = mbedtls_x509_crt_parse_der(
            &tls->own, trust->certificate_der, trust->certificate_bytes);
        if (result == 0) result = parse_key(&tls->key, trust->key_der, trust->key_bytes);
        if (result == 0) result = mbedtls_ssl_conf_own_cert(&tls->config, &tls->own, &tls->key);
    }
    if (result == 0) result = mbedtls_ssl_setup(&tls->ssl, &tls->config);
    if (result == 0) result = mbedtls_ssl_set_hostname(&tls->ssl, tls->server_name);
    if (result != 0) {
        *error = result;
        shelfcast_tls_free(tls);
        return NULL;
    }
    mbedtls_ssl_set_bio(&tls->ssl, tls, send_some, receive_some, NULL);
    *error = 0;
    return tls;
}

void shelfcast_tls_free(shelfcast_tls *tls) {
    mbedtls_ssl_free(&tls->ssl);
    mbedtls_ssl_config_free(&tls->config);
    mbedtls_x509_crt_free(&tls->ca);
    mbedtls_x509_crt_free(&tls->own);
    mbedtls_pk_free(&tls->key);
    free(tls);
}

static int check_pinned(shelfcast_tls *tls) {
    const mbedtls_x509_crt *chain = mbedtls_ssl_get_peer_cert(&tls->ssl);
    const mbedtls_x509_crt *found = NULL;
    for (const mbedtls_x509_crt *at = chain; at != NULL && found == NULL; at = at->next) {
        uint8_t digest[SHELFCAST_SHA256_BYTES];
        size_t length = 0;
        if (psa_hash_compute(
                PSA_ALG_SHA_256, at->raw.p, at->raw.len, digest, sizeof digest, &length)
                == PSA_SUCCESS
            && memcmp(digest, tls->pinned, sizeof digest) == 0)
            found = at;
    }
    if (found == NULL) {
        snprintf(
            tls->error, sizeof tls->error,
            "this is not the hub the token names: none of its certificates is the pinned CA");
        return SHELFCAST_TLS_FAILED;
    }
    int result = mbedtls_x509_crt_parse_der(&tls->ca, found->raw.p, found->raw.len);
    uint32_t flags = 0;
    if (result == 0)
        result = mbedtls_x509_crt_verify(
            (mbedtls_x509_crt *)chain, &tls->ca, NULL, tls->server_name, &flags, judge, tls);
    if (result == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
        explain_flags(tls, flags);
        return SHELFCAST_TLS_FAILED;
    }
    if (result != 0) {
        explain(tls, result);
        return SHELFCAST_TLS_FAILED;
    }
    return SHELFCAST_TLS_DONE;
}

static int waiting_or_failed(shelfcast_tls *tls, int code) {
    switch (code) {
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
        return SHELFCAST_TLS_WANT_READ;
    case MBEDTLS_ERR_SSL_WANT_WRITE: return SHELFCAST_TLS_WANT_WRITE;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
    case MBEDTLS_ERR_SSL_CONN_EOF: return SHELFCAST_TLS_CLOSED;
    default: explain(tls, code); return SHELFCAST_TLS_FAILED;
    }
}

int shelfcast_tls_handshake(shelfcast_tls *tls) {
    int result = mbedtls_ssl_handshake(&tls->ssl);
    if (result == 0) {
        tls->handshaken = 1;
        return tls->joining ? check_pinned(tls) : SHELFCAST_TLS_DONE;
    }
    uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);
    if (!tls->joining && flags != 0 && flags != (uint32_t)-1
        && result != MBEDTLS_ERR_SSL_WANT_READ && result != MBEDTLS_ERR_SSL_WANT_WRITE) {
        explain_flags(tls, flags);
        return SHELFCAST_TLS_FAILED;
    }
    return waiting_or_failed(tls, result);
}

int shelfcast_tls_read(shelfcast_tls *tls, uint8_t *into, size_t count) {
    int result = mbedtls_ssl_read(&tls->ssl, into, count);
    if (result > 0) return result;
    return result == 0 ? SHELFCAST_TLS_CLOSED : waiting_or_failed(tls, result);
}

int shelfcast_tls_write(shelfcast_tls *tls, const uint8_t *bytes, size_t count) {
    int result = mbedtls_ssl_write(&tls->ssl, bytes, count);
    return result > 0 ? result : waiting_or_failed(tls, result);
}

size_t shelfcast_tls_pending(const shelfcast_tls *tls) {
    return mbedtls_ssl_get_bytes_avail(&tls->ssl);
}

uint64_t shelfcast_tls_wire_bytes(const shelfcast_tls *tls) { return tls->wire_bytes; }

void shelfcast_tls_close(shelfcast_tls *tls) { (void)mbedtls_ssl_close_notify(&tls->ssl); }

const char *shelfcast_tls_error(const shelfcast_tls *tls) {
    return tls->error[0] != 0 ? tls->error : "TLS failed";
}

const uint8_t *shelfcast_tls_ca(const shelfcast_tls *tls, size_t *bytes) {
    if (!tls->joining || tls->ca.raw.p == NULL) return NULL;
    *bytes = tls->ca.raw.len;
    return tls->ca.raw.p;
}
