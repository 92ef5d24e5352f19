/* libcurl, loaded when the first fetch or URL needs it: it brings twenty libraries along, which a
 * daemon that fetches nothing need not hold. Any thread. */
#ifndef C9_SUPERVISOR_CURL_H
#define C9_SUPERVISOR_CURL_H

#include <curl/curl.h>

#include "base/error.h"

/* The functions used, each a member without its curl_ prefix. */
/* clang-format off */
#define CURL_FUNCTIONS(F) \
    F(easy_cleanup) F(easy_getinfo) F(easy_init) F(easy_setopt) F(easy_strerror) \
    F(free) F(global_init) \
    F(multi_add_handle) F(multi_assign) F(multi_cleanup) F(multi_info_read) F(multi_init) \
    F(multi_remove_handle) F(multi_setopt) F(multi_socket_action) \
    F(slist_append) F(slist_free_all) \
    F(url) F(url_cleanup) F(url_get) F(url_set)
/* clang-format on */

#define CURL_MEMBER(name) __typeof__(curl_##name) *name;
struct curl {
    CURL_FUNCTIONS(CURL_MEMBER)
};

/* NULL when it cannot be loaded: it is tried again the next time. Lives until the process ends. */
const struct curl *curl_load(struct error *err);

#endif
