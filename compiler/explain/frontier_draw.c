/* frontier_draw.c - the frontier as a drawing: memory to the right, predicted
 * time upwards.
 */
#include "compiler/explain/html.h"
#include "compiler/explain/timeline.h"
#include "compiler/explain/frontier_draw.h"

#include <math.h>

enum { WIDTH = 720, HEIGHT = 440, LEFT = 90, RIGHT = 30, TOP = 50, BOTTOM = 60,
	TICKS = 6 };

typedef struct Scale {
	double most_bytes, least, most; /* seconds */
} Scale;

static double
at_x(const Scale *s, double bytes)
{
	return LEFT + bytes / s->most_bytes * (WIDTH - LEFT - RIGHT);
}

static double
at_y(const Scale *s, double seconds)
{
	return HEIGHT - BOTTOM - (seconds - s->least) / (s->most - s->least)
		* (HEIGHT - TOP - BOTTOM);
}

/* 1, 2 or 5 times a power of ten, so that about TICKS of them make `span`. */
static double
round_step(double span)
{
	double rough = span / TICKS, ten = pow(10, floor(log10(rough)));
	double times = rough / ten;
	return ten * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

static void
scale_to(Scale *s, const FrontierPoint *p)
{
	s->most_bytes = fmax(s->most_bytes, (double)p->bytes);
	s->least = fmin(s->least, p->seconds);
	s->most = fmax(s->most, p->seconds);
}

static Scale
find_scale(const Frontier *f, const FrontierPoint *here)
{
	Scale s = {(double)f->unsliced.bytes, f->unsliced.seconds,
		f->unsliced.seconds};
	for (size_t i = 0; i < f->n; i++)
		scale_to(&s, &f->point[i]);
	if (here)
		scale_to(&s, here);
	s.most_bytes *= 1.05;
	double margin = fmax((s.most - s.least) * 0.1, s.most * 0.005);
	s.least -= margin;
	s.most += margin;
	return s;
}

static void
draw_axes(const Scale *s, const Frontier *f, FILE *out)
{
	double gib = s->most_bytes / (1 << 30), step = round_step(gib);
	for (double x = 0; x <= gib; x += step)
		fprintf(out, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" "
			"y2=\"%d\" class=\"grid\"/>\n<text x=\"%.1f\" "
			"y=\"%d\" text-anchor=\"middle\">%.3g</text>\n",
			at_x(s, x * (1 << 30)), TOP, at_x(s, x * (1 << 30)),
			HEIGHT - BOTTOM, at_x(s, x * (1 << 30)),
			HEIGHT - BOTTOM + 18, x);
	double base = f->unsliced.seconds;
	char time[32];
	double percent = round_step((s->most - s->least) / base * 100);
	for (double p = ceil((s->least / base - 1) * 100 / percent) * percent;
		base * (1 + p / 100) <= s->most; p += percent) {
		double y = at_y(s, base * (1 + p / 100));
		fprintf(out, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" "
			"y2=\"%.1f\" class=\"grid\"/>\n<text x=\"%d\" "
			"y=\"%.1f\" text-anchor=\"end\">%+.3g %%</text>\n",
			LEFT, y, WIDTH - RIGHT, y, LEFT - 8, y + 4,
			fabs(p) < percent / 2 ? 0.0 : p);
	}
	fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">memory, "
		"GiB</text>\n", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16);
	fprintf(out, "<text x=\"%d\" y=\"%d\">predicted time, against the "
		"unsliced program (%s)</text>\n", LEFT - 70, TOP - 10,
		format_seconds(time, base));
}

static void
draw_point(const Scale *s, const FrontierPoint *p, const char *class, FILE *out)
{
	char bytes[32], time[32];
	fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"%s\">"
		"<title>%s, %s, %u groups</title></circle>\n",
		at_x(s, (double)p->bytes), at_y(s, p->seconds), class,
		format_bytes(bytes, p->bytes),
		format_seconds(time, p->seconds), p->groups);
}

void
frontier_draw(const Frontier *f, const FrontierPoint *here, const char *title,
	FILE *out)
{
	Scale s = find_scale(f, here);
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
		"height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
		"font-size=\"12\">\n<style>.grid{stroke:#ddd} .way{fill:none;"
		"stroke:#2b6cb0;stroke-width:2} .best{fill:#2b6cb0} "
		".unsliced{fill:#c05621} .here{fill:#c00000}</style>\n<rect width=\"100%%\" "
		"height=\"100%%\" fill=\"white\"/>\n", WIDTH, HEIGHT, WIDTH,
		HEIGHT);
	fprintf(out, "<text x=\"%d\" y=\"22\" font-size=\"15\">", LEFT - 70);
	html_text(out, title);
	fputs("</text>\n", out);
	draw_axes(&s, f, out);
	fputs("<polyline class=\"way\" points=\"", out);
	for (size_t i = 0; i < f->n; i++) {
		double x = at_x(&s, (double)f->point[i].bytes);
		if (i)
			fprintf(out, "%.1f,%.1f ", x,
				at_y(&s, f->point[i - 1].seconds));
		fprintf(out, "%.1f,%.1f ", x, at_y(&s, f->point[i].seconds));
	}
	fputs("\"/>\n", out);
	for (size_t i = 0; i < f->n; i++)
		draw_point(&s, &f->point[i], "best", out);
	draw_point(&s, &f->unsliced, "unsliced", out);
	if (here)
		draw_point(&s, here, "here", out);
	fputs("</svg>\n", out);
}
