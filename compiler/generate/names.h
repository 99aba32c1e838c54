/* names.h - what other tools call the keys and values of a run file.
 */
#ifndef SLUICE_NAMES_H
#define SLUICE_NAMES_H

/* What `name`, a key, component, dtype or scheduler setting (as `what` says) of
 * another tool, is here, as the end of a sentence that began with the name: "is
 * 'steps' here".  NULL: it is not known. */
const char *name_here(const char *what, const char *name);

#endif
