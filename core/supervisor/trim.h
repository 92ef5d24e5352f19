#ifndef C9_SUPERVISOR_TRIM_H
#define C9_SUPERVISOR_TRIM_H

/* Gives back what only the start needed: free memory, and the mapped pages of code and constants,
 * of which the start runs through far more than an idle daemon touches. Those stay in the page
 * cache, and come back when they are used. */
void trim_after_start(void);

#endif
