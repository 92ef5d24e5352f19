/* The smallest JSON value that fits a schema, as far as type, const, enum, properties, required,
 * items, bounds, the common formats, combinations and local references go. */
#ifndef MODEL_FAKE_INSTANCE_H
#define MODEL_FAKE_INSTANCE_H

#include <jansson.h>

/* New reference; NULL when out of memory or when the instance would pass 10,000 values. */
json_t *instance_smallest(const json_t *schema);

#endif
