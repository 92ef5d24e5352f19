/* A shared object that is no plugin. */
#include <c9d/plugin.h>

C9D_EXPORT extern const int something_else;
const int something_else = 1;
