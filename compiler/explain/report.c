/* report.c - the page itself. */
#include "compiler/explain/report.h"

/* Nothing may be fetched: a browser that obeys this shows that nothing is. */
static const char head[] = "<!doctype html>\n<html lang=\"en\">\n<head>\n"
	"<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	"content=\"width=device-width\">\n<meta http-equiv="
	"\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	"'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>";

enum { ASSET_CSS, ASSET_JS };

static void
tile_begin(const Report *r, const char *name)
{
	fputs("<div class=\"tile\"><span>", r->out);
	html_text(r->out, name);
	fputs("</span><b>", r->out);
}

static void
tile_bytes(const Report *r, const char *name, int64_t bytes)
{
	tile_begin(r, name);
	html_bytes(r->out, bytes);
	fputs("</b></div>\n", r->out);
}

static void
tile_seconds(const Report *r, const char *name, double seconds)
{
	tile_begin(r, name);
	html_seconds(r->out, seconds);
	fputs("</b></div>\n", r->out);
}

static void
write_summary(const Report *r)
{
	const Plan *p = r->plan;
	const PlanHeader *h = &p->head;
	fputs("<h1>", r->out);
	html_text(r->out, p->strings + h->name);
	fputs("</h1>\n<p>", r->out);
	html_printf(r->out, "%s on %s (profile %s): %u instructions, %u "
		"kernels, %u loops over slices, %u buffers",
		dtype_name((DType)h->dtype), p->strings + h->target,
		p->strings + h->profile, p->n_code,
		kernel_count(p, 0, p->n_code), p->n_groups, p->n_buffers);
	if (h->steps)
		fprintf(r->out, ", %u denoising steps", h->steps);
	fputs(".</p>\n<div class=\"tiles\">\n", r->out);
	tile_bytes(r, "peak", h->arena_bytes);
	tile_bytes(r, "weights in all", h->weights_bytes);
	tile_bytes(r, "weights at once", h->weights_peak);
	tile_bytes(r, "staging on the host", h->host_bytes);
	tile_seconds(r, "predicted", h->predicted_seconds);
	if (h->unsliced_bytes)
		tile_bytes(r, "peak without slices", h->unsliced_bytes);
	if (h->unsliced_seconds > 0)
		tile_seconds(r, "predicted without slices",
			h->unsliced_seconds);
	tile_begin(r, "work");
	fprintf(r->out, "%.4g TFLOP</b></div>\n</div>\n", h->flops / 1e12);
}

static void
write_map(const Report *r)
{
	fputs("<h2>Memory over time</h2>\n<p>Each box is a buffer: its life to "
		"the right, its addresses upwards. Below, the bytes in use "
		"(a gap to the peak is room that nothing needed), and the "
		"loops over slices. Point at a box for what it is; drag over "
		"a part to enlarge it, double-click for the whole; click for "
		"all that lives at that time. After a click the wheel zooms "
		"(Shift: addresses) and keys work: + and -, 0 for the "
		"whole, arrows up and down and Shift with left and right to "
		"move.</p>\n<noscript><p>The map is "
		"drawn by a script. <code>sluice dot --memory</code> draws it "
		"without.</p></noscript>\n<div id=\"tools\"><button id=\"whole\">"
		"whole</button><label>find <input id=\"find\" type=\"search\" "
		"placeholder=\"part of a name\"></label><span id=\"found\">"
		"</span><span id=\"legend\">", r->out);
	for (int i = 0; i < BUF_ROLE_COUNT; i++)
		fprintf(r->out, "<b style=\"background:%s\"></b>%s ",
			role_styles[i].colour, role_styles[i].name);
	fputs("</span></div>\n<div id=\"stage\"><canvas id=\"map\" "
		"tabindex=\"0\"></canvas><div id=\"about\"></div></div>\n<div id=\"live\"></div>\n",
		r->out);
}

void
report_write(const Plan *p, const Frontier *frontier, FILE *out)
{
	Arena a = {0};
	Report r = {&a, p, frontier, timeline_of(&a, p), out};
	fputs(head, out);
	html_printf(out, "%s: memory", p->strings + p->head.name);
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n",
		report_assets[ASSET_CSS].text);
	write_summary(&r);
	write_map(&r);
	report_advice(&r);
	report_frontier(&r);
	report_phases(&r);
	report_bounds(&r);
	report_groups(&r);
	report_ops(&r);
	report_data(&r);
	fprintf(out, "<script>\n%s</script>\n</body>\n</html>\n",
		report_assets[ASSET_JS].text);
	arena_free(&a);
}
