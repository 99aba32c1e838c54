/* configs.h - the config.json files of a Hugging Face folder, as the language
 * wants them: one LangConfig for each file, those of one component in order.
 */
#ifndef SLUICE_CONFIGS_H
#define SLUICE_CONFIGS_H

#include "lang/lang.h"

enum { CONFIGS_ERR = 512 };     /* bytes behind every `err` here */

/* The configs of a model's components.  `folder` (may be NULL) is a Hugging
 * Face folder: the components of its model_index.json that have one, or, where
 * there is no index, those of the usual names.  `component` replaces or adds
 * components, "unet=DIR,DIR": later folders win.  A folder's config is
 * config.json, for schedulers scheduler_config.json.  Returns EXIT_OK, EXIT_IO
 * (a file is missing) or EXIT_SOURCE (it is broken), with the reason in `err`. */
int configs_from_folder(Arena *a, const char *folder,
	const char *const *component, size_t n, LangConfig **out, size_t *nout,
	char *err);

#endif
