/* Where the parts of an installation are. */
#ifndef C9_BASE_PATHS_H
#define C9_BASE_PATHS_H

/* The path of NAME beside this executable if there is one (a build tree), else `installed`.
 * Borrowed for the life of the process. Any thread. */
const char *path_beside(const char *name, const char *installed);

#endif
