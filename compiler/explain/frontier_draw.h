/* frontier_draw.h - the curve of memory against time as a picture. */
#ifndef SLUICE_FRONTIER_DRAW_H
#define SLUICE_FRONTIER_DRAW_H

#include "compiler/frontier.h"

#include <stdio.h>

/* As a drawing: SVG, one file without references; `here` is marked, or NULL. */
void frontier_draw(const Frontier *f, const FrontierPoint *here,
	const char *title, FILE *out);

#endif
