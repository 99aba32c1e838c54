/* generate_picture.c - the picture that a clip begins with, to a plan's inputs: as
 * the clip's first frame is to look, and as CLIP sees it.  Both are made from the
 * picture at its own size.
 */
#include "compiler/generate/generate.h"
#include "compiler/media/media.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static int __attribute__((format(printf, 3, 4)))
fail(char *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err, GENERATE_ERR, fmt, ap);
	va_end(ap);
	return code;
}

static int
no_picture(const RunFile *r, char *err)
{
	return fail(err, EXIT_SOURCE, "%s: it names no picture to begin with: "
		"image: FILE", r->path);
}

int
job_picture_there(const Job *job, char *err)
{
	const RunFile *r = job->run;
	if (job->picture && !r->image)
		return no_picture(r, err);
	if (r->image && access(r->image, R_OK))
		return fail(err, EXIT_IO, "cannot read '%.300s': %s", r->image,
			strerror(errno));
	return EXIT_OK;
}

/* Mean and deviation of CLIP's training pictures. */
typedef struct Spread {
	float mean[3], deviation[3];
} Spread;

/* Three numbers of a config; false: it has something else there. */
static bool
three_numbers(const Json *config, const char *key, float out[3])
{
	const Json *list = json_get(config, key);
	if (!list || list->kind == JSON_NULL)
		return true;
	for (size_t i = 0; i < 3; i++) {
		const Json *x = list->kind == JSON_LIST && list->n == 3
			? &list->item[i] : NULL;
		if (!x || (x->kind != JSON_FLOAT && x->kind != JSON_INT))
			return false;
		out[i] = (float)(x->kind == JSON_INT ? (double)x->integer
			: x->number);
	}
	return true;
}

/* The folder's feature_extractor, where there is one, else CLIP's numbers. */
static int
read_spread(Arena *a, const RunFile *r, Spread *s, char *err)
{
	int code = EXIT_OK;
	*s = (Spread){{0.48145466f, 0.4578275f, 0.40821073f},
		{0.26862954f, 0.26130258f, 0.27577711f}};
	const char *path = arena_printf(a,
		"%s/feature_extractor/preprocessor_config.json",
		r->folder ? r->folder : "");
	if (!r->folder || access(path, F_OK))
		return EXIT_OK;
	const Json *config = json_read_file(a, path, &code, err);
	if (!config)
		return code;
	if (!three_numbers(config, "image_mean", s->mean)
		|| !three_numbers(config, "image_std", s->deviation)
		|| !(s->deviation[0] > 0 && s->deviation[1] > 0
			&& s->deviation[2] > 0))
		return fail(err, EXIT_SOURCE, "%s: 'image_mean' and 'image_std' "
			"are lists of three numbers, the second above 0", path);
	return EXIT_OK;
}

/* An input of the plan that takes a picture, or NULL; an error when it takes
 * something else. */
static int
picture_port(const Plan *p, const char *name, const PlanPort **port, char *err)
{
	const AxisSet picture = AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W)
		| AXIS_BIT(AXIS_C);
	*port = job_port(p, name);
	if (*port && ((*port)->dtype != DT_F32 || (*port)->axes != picture
		|| (*port)->n[AXIS_C] != 3))
		return fail(err, EXIT_SOURCE, "the pipeline's input '%s' is not "
			"f32[h, w, c=3]", name);
	return EXIT_OK;
}

/* A picture of another shape is stretched, as the model's authors do. */
static void
warn_shape(const Picture *p, int64_t height, int64_t width)
{
	double ratio = (double)(p->width * height) / (double)(p->height * width);
	if (fabs(ratio - 1) < 0.02)
		return;
	int64_t w = ratio > 1 ? p->height * width / height : p->width;
	int64_t h = ratio > 1 ? p->height : p->width * height / width;
	warn("the picture is %lldx%lld, the video %lldx%lld: it is stretched; "
		"crop it to %lldx%lld to keep its shape", (long long)p->width,
		(long long)p->height, (long long)width, (long long)height,
		(long long)max64(w, 1), (long long)max64(h, 1));
}

static float *
as_video(Arena *a, const Picture *p, int64_t height, int64_t width)
{
	Arena work = {0};
	int64_t n = 3 * height * width;
	float *x = arena_array(a, (size_t)n, sizeof *x);
	Picture q = picture_resize(&work, p, height, width);
	for (int64_t i = 0; i < n; i++)
		x[i] = (float)q.rgb[i] / 255;
	arena_free(&work);
	return x;
}

int
job_picture(Arena *a, const Job *job, const Plan *p, bool quiet, JobInputs *in,
	char *err)
{
	const RunFile *r = job->run;
	const PlanPort *image, *clip;
	Arena work = {0};
	Picture picture;
	Spread s;
	int code = picture_port(p, "image", &image, err);
	if (!code)
		code = picture_port(p, "clip_image", &clip, err);
	if (code || (!image && !clip))
		return code;
	if (!r->image)
		return no_picture(r, err);
	if (clip && clip->n[AXIS_H] != clip->n[AXIS_W])
		return fail(err, EXIT_SOURCE, "the pipeline's input 'clip_image' "
			"is not square");
	code = read_spread(a, r, &s, err);
	if (!code)
		code = picture_read(&work, r->image, &picture, err);
	if (!code && image) {
		if (!quiet)
			warn_shape(&picture, image->n[AXIS_H], image->n[AXIS_W]);
		in->image = as_video(a, &picture, image->n[AXIS_H],
			image->n[AXIS_W]);
	}
	if (!code && clip)
		in->clip_image = picture_clip(a, &picture, clip->n[AXIS_H],
			s.mean, s.deviation);
	arena_free(&work);
	return code;
}
