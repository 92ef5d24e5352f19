/* The domain's SQL, written once. One header a resource; this one opens. */
#ifndef C9_STORE_STORE_H
#define C9_STORE_STORE_H

#include "host/storage.h"

/* Brings the storage to this program's schema. Once, at start. */
int store_migrate(struct storage *storage, struct error *err);
/* A fact of this installation by its key: a new string, or NULL with err (E_NOT_FOUND when it was
 * never put). Blocks. */
char *store_instance_get(struct storage *storage, const char *key, struct error *err);
/* Keeps what is there already: the first one wins. Blocks. */
int store_instance_put(struct storage *storage, const char *key, const char *value,
                       struct error *err);

#endif
