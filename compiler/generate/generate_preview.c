/* generate_preview.c - a rough look at a run that is not over: the latent after a
 * step, its four channels to colours by a matrix, as a GIF of half the video's
 * size.
 *
 * The matrix is a fit of decoded pictures of Stable Diffusion 1.x, published by
 * users of it ("Decoding latents to RGB without upscaling", Hugging Face forum);
 * Stable Video Diffusion's latents are alike.
 */
#include "compiler/generate/generate.h"
#include "compiler/media/media.h"
#include "kernels/kernels.h"
#include "vm/inputs.h"

#include <math.h>
#include <string.h>

enum { CHANNELS = 4 };

/* Colours of -1..1 for one of each channel. */
static const float colour[CHANNELS][3] = {
	{0.298f, 0.207f, 0.208f}, {0.187f, 0.286f, 0.173f},
	{-0.158f, 0.189f, 0.264f}, {-0.184f, -0.271f, -0.473f},
};

/* NAME.preview.gif beside the video's first output. */
static const char *
preview_path(Arena *a, const RunFile *r)
{
	const char *path = r->output[0].path;
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	const char *slash = memrchr(path, '/', n);
	const char *dot = memrchr(path, '.', n);
	if (dot && dot != path && (!slash || dot > slash + 1))
		n = (size_t)(dot - path);
	return arena_printf(a, "%.*s.preview.gif", (int)n, path);
}

/* The latent after `step` steps, [f, h, w, c], from the arena; NULL: the plan
 * keeps none that can be shown. */
static const float *
latent_after(Arena *a, Vm *vm, int64_t step, const PlanPort **port)
{
	const AxisSet picture = AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W)
		| AXIS_BIT(AXIS_C);
	*port = vm_output(vm, "latents");
	if (!*port || ((*port)->axes & picture) != picture
		|| (*port)->n[AXIS_C] != CHANNELS)
		return NULL;
	int64_t frames = (*port)->axes & AXIS_BIT(AXIS_F) ? (*port)->n[AXIS_F]
		: 1;
	int64_t n = frames * (*port)->n[AXIS_H] * (*port)->n[AXIS_W] * CHANNELS;
	if (step < 1 || port_elements(*port) < n * step)
		return NULL;
	DType type = (DType)(*port)->dtype;
	float *x = arena_array(a, (size_t)n, sizeof *x);
	void *raw = arena_array(a, (size_t)n, (size_t)dtype_bytes(type));
	if (vm_read_output(vm, *port, (step - 1) * n, raw, n) != EXIT_OK)
		return NULL;
	convert(DT_F32, x, type, raw, n);
	return x;
}

/* Samplers whose noise grows with the step begin with latents of hundreds: they
 * are brought down to a deviation of 1. */
static float
brightness(const float *x, int64_t n)
{
	double square = 0;
	for (int64_t i = 0; i < n; i++)
		square += (double)x[i] * (double)x[i];
	return (float)(1 / fmax(sqrt(square / (double)n), 1));
}

/* Each pixel of the latent becomes a square of zoom x zoom. */
static Video
paint(Arena *a, const float *x, const PlanPort *port, int64_t zoom, double fps)
{
	int64_t h = port->n[AXIS_H], w = port->n[AXIS_W];
	int64_t frames = port->axes & AXIS_BIT(AXIS_F) ? port->n[AXIS_F] : 1;
	float scale = brightness(x, frames * h * w * CHANNELS);
	int64_t pixels = frames * h * w * zoom * zoom;
	float *rgb = arena_array(a, (size_t)(3 * pixels), sizeof *rgb);
	for (int64_t i = 0; i < pixels; i++) {
		int64_t row = i / (w * zoom) / zoom, column = i % (w * zoom) / zoom;
		const float *z = x + CHANNELS * (row * w + column);
		for (int c = 0; c < 3; c++) {
			float v = 0;
			for (int k = 0; k < CHANNELS; k++)
				v += z[k] * scale * colour[k][c];
			rgb[3 * i + c] = (v + 1) / 2;
		}
	}
	return (Video){.rgb = video_bytes(a, rgb, 3 * pixels), .frames = frames,
		.height = h * zoom, .width = w * zoom, .fps = fps};
}

void
preview_step(Preview *pv, const Job *job, Vm *vm, int64_t step)
{
	Arena a = {0};
	const PlanPort *port, *frames = vm_output(vm, "frames");
	char err[256] = "the pipeline keeps no latent of four channels";
	if (!pv->every || pv->broken || step / pv->every <= pv->shown)
		return;
	pv->shown = step / pv->every;
	const float *x = latent_after(&a, vm, step, &port);
	int64_t zoom = 1;
	if (x && frames)
		zoom = max64(frames->n[AXIS_H] / port->n[AXIS_H] / 2, 1);
	Video v = x ? paint(&a, x, port, zoom, job->fps) : (Video){0};
	pv->broken = !x || !gif_write(preview_path(&a, job->run), &v, err);
	if (pv->broken)
		warn("no preview: %s", err);
	arena_free(&a);
}
