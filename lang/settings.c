/* settings.c - that a config is read whole: each key is one that the program reads,
 * one that changes nothing (settings.def), or an error.  A key that was passed over
 * in silence would be a picture that is not the model's.
 *
 * Files that do not belong together are told first, as what they are.
 */
#include "lang/elab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	IMAGE = 1, MOTION = 2, ADAPTER = 4, SPACETIME = 8, VAE = 16,
	TEMPORAL = 32, TEXT = 64, VISION = 128,
	ANY_CLASS = 255,
};

static const struct { const char *name; int class; } classes[] = {
	{"UNet2DConditionModel", IMAGE}, {"UNetMotionModel", MOTION},
	{"MotionAdapter", ADAPTER},
	{"UNetSpatioTemporalConditionModel", SPACETIME},
	{"AutoencoderKL", VAE}, {"AutoencoderKLTemporalDecoder", TEMPORAL},
	{"clip_text_model", TEXT}, {"clip_vision_model", VISION},
};

static const struct { int classes; const char *key, *values; } settings[] = {
#define SETTING(classes, key, values) {classes, key, values},
#include "lang/settings.def"
};

/* ---- values ---- */

/* Whether `j` is what the text of n bytes says; of a list, each element. */
static bool
is_value(const Json *j, const char *text, size_t n)
{
	char *end;
	if (j->kind == JSON_LIST && j->n) {
		for (size_t i = 0; i < j->n; i++)
			if (!is_value(&j->item[i], text, n))
				return false;
		return true;
	}
	switch (j->kind) {
	case JSON_NULL:
		return n == 4 && !memcmp(text, "null", n);
	case JSON_BOOL:
		return n == strlen(j->boolean ? "true" : "false")
			&& !memcmp(text, j->boolean ? "true" : "false", n);
	case JSON_STRING:
		return n == j->length + 2 && *text == '"'
			&& !memcmp(text + 1, j->text, n - 2);
	case JSON_INT:
	case JSON_FLOAT:
		return fabs(strtod(text, &end) - j->number) < 1e-12
			&& end == text + n;
	default:
		return false;
	}
}

static bool
may_be(const Json *j, const char *values)
{
	if (!*values)
		return true;
	for (const char *s = values; *s;) {
		size_t n = strcspn(s, "|");
		if (is_value(j, s, n))
			return true;
		s += n + (s[n] == '|');
	}
	return false;
}

/* A value for a message. */
static const char *
show(Elab *e, const Json *j)
{
	switch (j->kind) {
	case JSON_NULL:
		return "null";
	case JSON_BOOL:
		return j->boolean ? "true" : "false";
	case JSON_INT:
		return arena_printf(e->arena, "%lld", (long long)j->integer);
	case JSON_FLOAT:
		return arena_printf(e->arena, "%g", j->number);
	case JSON_STRING:
		return arena_printf(e->arena, "\"%.60s\"", j->text);
	case JSON_LIST:
		break;
	case JSON_MAP:
		return "{...}";
	}
	const char *s = "[";
	for (size_t i = 0; i < j->n && i < 8; i++)
		s = arena_printf(e->arena, "%s%s%s", s, i ? ", " : "",
			j->item[i].kind == JSON_LIST ? "[...]"
			: show(e, &j->item[i]));
	return arena_printf(e->arena, "%s%s]", s, j->n > 8 ? ", ..." : "");
}

static int
class_of(const LangConfig *c)
{
	const Json *name = json_get(c->json, "_class_name");
	if (!name || name->kind != JSON_STRING)
		name = json_get(c->json, "model_type");
	for (size_t i = 0; name && name->kind == JSON_STRING
		&& i < COUNT_OF(classes); i++)
		if (!strcmp(classes[i].name, name->text))
			return classes[i].class;
	return name ? 0 : ANY_CLASS;
}

/* ---- files that do not belong together ---- */

static int64_t
integer_of(const LangConfig *c, const char *key)
{
	const Json *j = json_get(c->json, key);
	return j && j->kind == JSON_INT ? j->integer : -1;
}

/* A UNet that wants more than the noisy latent, which is all that a pipeline has. */
static void
check_input(Elab *e, const LangConfig *c)
{
	static const struct { int64_t channels; const char *what; } kinds[] = {
		{5, "a depth-to-image model's"}, {7, "an upscaler's"},
		{8, "an instruction-edited image's (InstructPix2Pix)"},
		{9, "an inpainting model's"},
	};
	int64_t in = integer_of(c, "in_channels");
	int64_t out = integer_of(c, "out_channels");
	const char *what = "another model's";
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (in == kinds[i].channels)
			what = kinds[i].what;
	if (in > 0 && out > 0 && in > out)
		diag_plain(&e->diags, NULL, "%s: this UNet is %s: it takes %lld "
			"channels and makes %lld, and its further input is not "
			"supported", c->path, what, (long long)in,
			(long long)out);
}

static void
check_adapter(Elab *e, const LangConfig *adapter)
{
	const Json *have = json_get(adapter->json, "block_out_channels");
	int64_t conv_in = integer_of(adapter, "conv_in_channels");
	if (conv_in > 0)
		diag_plain(&e->diags, NULL, "%s: PIA adapters (conv_in_channels "
			"%lld: they replace the UNet's first layer) are not "
			"supported", adapter->path, (long long)conv_in);
	for (size_t i = 0; have && i < e->o->nconfig; i++) {
		const LangConfig *unet = &e->o->config[i];
		const Json *want = json_get(unet->json, "block_out_channels");
		if (class_of(unet) != IMAGE || !want
			|| strcmp(unet->component, adapter->component)
			|| !strcmp(show(e, want), show(e, have)))
			continue;
		diag_plain(&e->diags, NULL, "%s: this motion adapter is made for "
			"another base: %zu levels, the UNet has %zu (channels "
			"%s, in %s %s)", adapter->path, have->n, want->n,
			show(e, have), unet->path, show(e, want));
	}
}

bool
settings_belong(Elab *e)
{
	for (size_t i = 0; i < e->o->nconfig; i++) {
		const LangConfig *c = &e->o->config[i];
		int class = class_of(c);
		if ((class == IMAGE || class == MOTION)
			&& e->program->kind == A_PIPELINE)
			check_input(e, c);
		else if (class == ADAPTER)
			check_adapter(e, c);
	}
	return !e->diags.count;
}

/* ---- keys ---- */

void
settings_read(Elab *e, const char *component, const char *key)
{
	for (size_t i = 0; i < e->o->nconfig && !e->stop; i++) {
		const LangConfig *c = &e->o->config[i];
		if (c->json || strcmp(c->component, component))
			continue;
		diag_plain(&e->diags, NULL, "component '%s': '%s' has no %s",
			component, c->path, !strcmp(component, "scheduler")
			? "scheduler_config.json" : "config.json");
		e->stop = e->missing = true;
	}
	*vec_push(&e->read_keys) = (ReadKey){component, key};
}

/* Whether the program reads that key, or any if key is NULL. */
static bool
is_read(const Elab *e, const char *component, const char *key)
{
	for (size_t i = 0; i < e->read_keys.n; i++) {
		const ReadKey *r = &e->read_keys.at[i];
		if (!strcmp(r->component, component)
			&& (!key || !r->key || !strcmp(r->key, key)))
			return true;
	}
	return false;
}

static void
check_key(Elab *e, const LangConfig *c, int class, const char *key,
	const Json *j)
{
	for (size_t i = 0; i < COUNT_OF(settings); i++) {
		if (!(settings[i].classes & class)
			|| strcmp(settings[i].key, key))
			continue;
		if (!may_be(j, settings[i].values))
			diag_plain(&e->diags, NULL, "%s: setting \"%s\" is %s; "
				"this model is written for %s", c->path, key,
				show(e, j), settings[i].values);
		return;
	}
	if (j->kind != JSON_NULL && class != ANY_CLASS)
		diag_plain(&e->diags, "if it means nothing to the model, take it "
			"out of the file", "%s: setting \"%s\": %s is not known",
			c->path, key, show(e, j));
}

void
settings_check(Elab *e)
{
	for (size_t i = 0; i < e->o->nconfig; i++) {
		const LangConfig *c = &e->o->config[i];
		int class = class_of(c);
		if (!class || !c->json || !is_read(e, c->component, NULL)
			|| !strcmp(c->component, "tokenizer"))
			continue;
		for (size_t k = 0; k < c->json->n; k++)
			if (*c->json->key[k] != '_'
				&& !is_read(e, c->component, c->json->key[k]))
				check_key(e, c, class, c->json->key[k],
					&c->json->item[k]);
	}
}
