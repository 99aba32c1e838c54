/* generate_outputs.c - what a run made, to files. */
#include "compiler/generate/generate.h"
#include "compiler/media/media.h"
#include "vm/inputs.h"
#include "kernels/kernels.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
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

/* ---- before the run ---- */

/* Whether files can be made in a folder, or the folder itself. */
static int
folder_writable(const char *path, char *err)
{
	struct stat st;
	char parent[4096];
	if (!stat(path, &st)) {
		if (!S_ISDIR(st.st_mode))
			errno = ENOTDIR;
		else if (!access(path, W_OK | X_OK))
			return EXIT_OK;
	} else if (errno == ENOENT) {
		size_t n = strlen(path);
		while (n > 1 && path[n - 1] == '/')
			n--;
		while (n && path[n - 1] != '/')
			n--;
		if (n >= sizeof parent)
			return fail(err, EXIT_IO, "a path is too long");
		snprintf(parent, sizeof parent, "%.*s", (int)n, path);
		if (!access(n ? parent : ".", W_OK | X_OK))
			return EXIT_OK;
	}
	return fail(err, EXIT_IO, "cannot write to the folder '%.300s': %s",
		path, strerror(errno));
}

void
outputs_settle(Arena *a, RunFile *r, bool quiet)
{
	bool possible = ffmpeg_possible();
	for (size_t i = 0; i < r->n_output && !possible; i++) {
		OutputFile *o = &r->output[i];
		if (o->kind != OUTPUT_MP4 && o->kind != OUTPUT_WEBM)
			continue;
		/* it ends in ".mp4" or ".webm" */
		const char *raw = arena_printf(a, "%.*s.y4m",
			(int)(strrchr(o->name, '.') - o->name), o->name);
		if (!quiet)
			warn("there is no ffmpeg: %s will be written instead of "
				"%s", raw, o->name);
		*o = (OutputFile){.kind = OUTPUT_Y4M, .name = raw};
	}
	runfile_take(a, r, 0);
}

int
job_writable(const Job *job, char *err)
{
	const RunFile *r = job->run;
	if (!r->n_output)
		return fail(err, EXIT_SOURCE, "%s: it names no 'output'",
			r->path);
	for (size_t i = 0; i < r->n_output; i++) {
		const OutputFile *o = &r->output[i];
		int code = EXIT_OK;
		if (o->kind == OUTPUT_PNG)
			output_claim_frames(o->path);
		else
			output_claim(o->path);
		if (o->kind == OUTPUT_PNG)
			code = folder_writable(o->path, err);
		else if (!output_writable(o->path, err))
			code = EXIT_IO;
		if (code)
			return code;
	}
	return EXIT_OK;
}

/* ---- what made the video ---- */

/* Those of the settings that belong to what a clip begins with. */
static size_t
begin_notes(Arena *a, const Job *job, Note *note)
{
	const RunFile *r = job->run;
	size_t n = 0;
	if (job->picture) {
		note[n++] = (Note){"image", r->image ? r->image : ""};
		note[n++] = (Note){"motion_bucket", arena_printf(a, "%g",
			r->motion_bucket)};
		note[n++] = (Note){"noise_aug", arena_printf(a, "%g",
			r->noise_aug)};
		note[n++] = (Note){"min_guidance", arena_printf(a, "%g",
			r->min_guidance)};
		note[n++] = (Note){"max_guidance", arena_printf(a, "%g",
			r->max_guidance)};
		note[n++] = (Note){"fps", arena_printf(a, "%g", job->fps)};
		return n;
	}
	note[n++] = (Note){"prompt", r->prompt};
	note[n++] = (Note){"negative_prompt", r->negative_prompt};
	note[n++] = (Note){"guidance", arena_printf(a, "%g", r->guidance)};
	if (r->clip_skip)
		note[n++] = (Note){"clip_skip", arena_printf(a, "%lld",
			(long long)r->clip_skip)};
	return n;
}

/* All notes, from the arena; returns how many. */
static size_t
make_notes(Arena *a, const Job *job, const Plan *p, Note **out)
{
	const RunFile *r = job->run;
	Note *note = arena_array(a, 16, sizeof *note);
	size_t n = 0;
	note[n++] = (Note){"Software", "Sluice " SLUICE_VERSION};
	n += begin_notes(a, job, note + n);
	note[n++] = (Note){"seed", arena_printf(a, "%lld", (long long)r->seed)};
	note[n++] = (Note){"noise", r->noise ? r->noise : "by seed"};
	note[n++] = (Note){"steps", arena_printf(a, "%lld",
		(long long)r->steps)};
	note[n++] = (Note){"scheduler", job->scheduler};
	note[n++] = (Note){"dtype", dtype_name(r->dtype)};
	note[n++] = (Note){"plan", arena_printf(a, "%016llx",
		(unsigned long long)plan_hash(p))};
	*out = note;
	return n;
}

/* ---- after it ---- */

/* An output as f32, from the arena; NULL: there is none of this name. */
static const float *
as_floats(Arena *a, Vm *vm, const char *name, const PlanPort **port)
{
	*port = vm_output(vm, name);
	const void *data = *port ? port_read(a, vm, *port) : NULL;
	if (!data || (*port)->dtype == DT_F32)
		return data;
	int64_t n = port_elements(*port);
	float *x = arena_array(a, (size_t)n, sizeof *x);
	convert(DT_F32, x, (DType)(*port)->dtype, data, n);
	return x;
}

static int
write_tensors(Arena *a, const Job *job, const Plan *p, Vm *vm,
	const char *path, char *err)
{
	static const char *const names[] = {"frames", "latent", "latents"};
	TensorOut out[COUNT_OF(names)];
	Note *note;
	size_t n = 0, n_note = make_notes(a, job, p, &note);
	for (size_t i = 0; i < COUNT_OF(names) - !job->run->keep_latents; i++) {
		const PlanPort *port;
		const float *x = as_floats(a, vm, names[i], &port);
		if (!x)
			continue;
		if (!port_tensor(p, port, x, &out[n]))
			return fail(err, EXIT_SOURCE, "output '%s' has more than "
				"eight axes", names[i]);
		out[n++].dtype = DT_F32;
	}
	return tensors_write_noted(path, out, n, note, n_note, err);
}

/* The plan's output `frames` as bytes. */
static int
make_video(Arena *a, const Job *job, Vm *vm, Video *v, char *err)
{
	const PlanPort *port;
	const AxisSet picture = AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W)
		| AXIS_BIT(AXIS_C);
	const float *x = as_floats(a, vm, "frames", &port);
	if (!x || (port->axes & ~AXIS_BIT(AXIS_F)) != picture
		|| port->n[AXIS_C] != 3)
		return fail(err, EXIT_SOURCE, "the pipeline has no output "
			"'frames' [f, h, w, c=3]: no pictures can be written");
	bool moves = port->axes & AXIS_BIT(AXIS_F);
	*v = (Video){
		.rgb = video_bytes(a, x, port_elements(port)),
		.frames = moves ? port->n[AXIS_F] : 1,
		.height = port->n[AXIS_H], .width = port->n[AXIS_W],
		.fps = job->fps,
	};
	return EXIT_OK;
}

static int
write_video(const OutputFile *o, const Video *v, char *err)
{
	bool ok = false;
	switch (o->kind) {
	case OUTPUT_GIF:
		ok = gif_write(o->path, v, err);
		break;
	case OUTPUT_WEBP:
		ok = webp_write(o->path, v, err);
		break;
	case OUTPUT_MP4:
		ok = ffmpeg_write(o->path, v, FFMPEG_MP4, err);
		break;
	case OUTPUT_WEBM:
		ok = ffmpeg_write(o->path, v, FFMPEG_WEBM, err);
		break;
	case OUTPUT_Y4M:
		ok = y4m_write(o->path, v, err);
		break;
	case OUTPUT_PNG:
		ok = png_write(o->path, v, err);
		break;
	case OUTPUT_TENSORS:
		break;
	}
	return ok ? EXIT_OK : EXIT_IO;
}

int
job_write(Arena *a, const Job *job, const Plan *p, Vm *vm, char *err)
{
	const RunFile *r = job->run;
	Video v = {0};
	int code = EXIT_OK;
	/* the tensors first: pictures can be made from them again */
	for (size_t i = 0; i < r->n_output && !code; i++)
		if (r->output[i].kind == OUTPUT_TENSORS)
			code = write_tensors(a, job, p, vm,
				r->output[i].path, err);
	for (size_t i = 0; i < r->n_output && !code; i++) {
		if (r->output[i].kind == OUTPUT_TENSORS)
			continue;
		if (!v.rgb) {
			Note *note;
			code = make_video(a, job, vm, &v, err);
			v.n_notes = make_notes(a, job, p, &note);
			v.notes = note;
		}
		if (!code)
			code = write_video(&r->output[i], &v, err);
	}
	return code;
}
