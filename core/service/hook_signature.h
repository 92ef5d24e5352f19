/* Signatures of webhooks: those of others' deliveries to us, in one of two styles, and ours. Pure.
 *
 * - standard: Standard Webhooks. Headers webhook-id, webhook-timestamp and webhook-signature,
 *   "v1,BASE64 …" of HMAC-SHA256 over "ID.TIMESTAMP.BODY"; the secret is "whsec_" and the base64 of
 *   the key.
 * - github: X-Hub-Signature-256, "sha256=HEX" of HMAC-SHA256 over the body; the secret is the key.
 */
#ifndef C9_SERVICE_HOOK_SIGNATURE_H
#define C9_SERVICE_HOOK_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"

enum hook_style { HOOK_STANDARD, HOOK_GITHUB, HOOK_STYLE_COUNT_ };
extern const char *const hook_style_names[HOOK_STYLE_COUNT_];

/* A delivery as received; headers that are not there are NULL. */
struct hook_message {
    const char *id, *timestamp, *signature; /* webhook-… */
    const char *hub_signature;              /* X-Hub-Signature-256 */
    const char *body;
    size_t len;
};

/* 0 when it is signed with one of the secrets (the second may be NULL) and, in the standard style,
 * its time is within tolerance (µs) of now; key_r then tells it from all others: by its id, or,
 * where the id is not signed, by the signature. E_SIGNATURE_INVALID otherwise. Compares in constant
 * time. */
int hook_signature_check(enum hook_style style, const char *const secrets[2],
                         const struct hook_message *message, int64_t now, int64_t tolerance,
                         char key_r[SHA256_HEX_SIZE], struct error *err);

/* "v1,BASE64" of the standard style over content ("ID.TIMESTAMP.BODY"), appended; behind a blank
 * when something is there. secret: without fault. */
void hook_standard_sign(const char *secret, const char *content, size_t len, struct buf *out);

/* A new secret in the style's form; to be freed. */
char *hook_secret_make(enum hook_style style);
/* What is wrong with a secret that a client brought along; NULL: nothing. */
const char *hook_secret_fault(enum hook_style style, const char *secret);

#endif
