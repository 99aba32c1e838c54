/* html.h - text and small drawings in HTML. */
#ifndef SLUICE_HTML_H
#define SLUICE_HTML_H

#include "ir/base/base.h"

/* `s` as the text of an element or of a quoted attribute: nothing in it is
 * markup, control and bidirectional characters are replaced. */
void html_text(FILE *out, const char *s);
/* `s` as a JSON string that cannot end the <script> it stands in. */
void html_json(FILE *out, const char *s);
/* printf whose result is escaped as html_text does. */
void html_printf(FILE *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* "412.3 MiB", the exact number of bytes as its tooltip. */
void html_bytes(FILE *out, int64_t bytes);
/* The first row of a table, `columns` as "bytes|kind|name". */
void html_head(FILE *out, const char *columns);
/* As format_seconds writes it. */
void html_seconds(FILE *out, double seconds);

#endif
