/* Secrets by reference. An operator configures [secret NAME] with a value and the hosts it may go
 * to; a skill that names it in needs.secrets gets a reference (c9.secret), a text that means
 * nothing anywhere else, and puts it into a request. The value takes its place here, behind the
 * journal, when the request leaves for one of those hosts; and the reference takes the value's
 * place in whatever comes back. So the value is in no executor, journal, log, event or error. What
 * a far side has changed first (base64, a digest) is not recognised.
 *
 * A reference is made of the execution's id and a secret of this installation: it cannot be guessed
 * by whoever writes the texts that a skill passes on, and it is the same on replay. Engine thread.
 */
#ifndef C9_SUPERVISOR_SECRETS_H
#define C9_SUPERVISOR_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"

struct run;
struct secrets;

int secrets_declare(struct config *config, struct error *err); /* the keys of every [secret NAME] */
/* NULL with E_CONFIG_INVALID: a value that is too short to be told from other text, or has control
 * characters; no hosts. Values are copied and overwritten when freed. */
struct secrets *secrets_new(const struct config *config, struct error *err);
void secrets_free(struct secrets *secrets); /* NULL is fine */

#define SECRET_REFERENCE_SIZE                                                                      \
    43 /* "c9-secret-", 32 hex digits, NUL; nothing that a URL would encode */

/* E_CAPABILITY_DENIED when the manifest does not name it, there is none of that name, or it is not
 * for this agent or organization. In a rehearsal whatever is named is there. */
int secret_reference(const struct run *run, const char *name, char out[SECRET_REFERENCE_SIZE],
                     struct error *err);

enum secret_place {
    SECRET_IN_HEADER, /* as it is */
    SECRET_IN_QUERY,  /* percent-encoded; a reference before the '?' is refused */
    SECRET_IN_BODY    /* as it is: the skill says what the body is */
};
struct secret_target {
    const char *scheme, *host; /* where the request goes */
};
/* Appends the text with values in the place of references. E_ADDRESS_DENIED when one of them may
 * not go there. */
int secrets_fill(const struct run *run, const char *text, size_t len, enum secret_place place,
                 const struct secret_target *target, struct buf *out, struct error *err);
/* The reverse, in place: as it is, percent-encoded, and as JSON writes it. A secret that the
 * execution has no reference to (another's, which the far side tells) becomes SECRET_HIDDEN. */
#define SECRET_HIDDEN "[hidden secret]"
void secrets_hide(const struct run *run, struct buf *text);
/* The same for a C string (freed, and a new one returned) and for an error's message. */
char *secrets_hide_text(const struct run *run, char *text);
void secrets_hide_error(const struct run *run, struct error *err);

#endif
