/* A plugin of an ABI to come: nothing but its first member may be looked at. */
#include <c9d/plugin.h>

C9D_EXPORT const struct c9d_plugin c9d_plugin = {
    .abi = C9D_ABI + 6, .kind = 99, .name = (const char *)1, .settings = (const void *)1};
