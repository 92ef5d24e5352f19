/* The domain's SQL, written once. One header a resource; this one opens. */
#ifndef C9_STORE_STORE_H
#define C9_STORE_STORE_H

#include "host/storage.h"

/* Brings the storage to this program's schema. Once, at start. */
int store_migrate(struct storage *storage, struct error *err);
/* instance.value of key, made by store_instance_put if absent. New string, or NULL with err. */
char *store_instance_get(struct storage *storage, const char *key, struct error *err);
int store_instance_put(struct storage *storage, const char *key, const char *value, struct error *err);

#endif
