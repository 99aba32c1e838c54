/* html.c - see html.h. */
#include "compiler/explain/html.h"
#include "compiler/explain/timeline.h"

#include <string.h>

void
html_text(FILE *out, const char *s)
{
	const char *piece;
	size_t n;
	while ((n = clean_next(&s, &piece)))
		switch (*piece) {
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '&': fputs("&amp;", out); break;
		case '"': fputs("&quot;", out); break;
		case '\'': fputs("&#39;", out); break;
		default: fwrite(piece, 1, n, out);
		}
}

void
html_json(FILE *out, const char *s)
{
	const char *piece;
	size_t n;
	fputc('"', out);
	while ((n = clean_next(&s, &piece)))
		if (strchr("<>&\"\\\n\t", *piece))
			fprintf(out, "\\u%04x", (unsigned)*piece);
		else
			fwrite(piece, 1, n, out);
	fputc('"', out);
}

void
html_printf(FILE *out, const char *fmt, ...)
{
	Arena a = {0};
	va_list ap;
	va_start(ap, fmt);
	html_text(out, arena_vprintf(&a, fmt, ap));
	va_end(ap);
	arena_free(&a);
}

void
html_bytes(FILE *out, int64_t bytes)
{
	char text[32];
	fprintf(out, "<span title=\"%lld bytes\">%s</span>", (long long)bytes,
		format_bytes(text, bytes));
}

void
html_head(FILE *out, const char *columns)
{
	fputs("<tr>", out);
	for (;; columns++) {
		size_t n = strcspn(columns, "|");
		fprintf(out, "<th>%.*s</th>", (int)n, columns);
		columns += n;
		if (!*columns)
			break;
	}
	fputs("</tr>\n", out);
}

void
html_seconds(FILE *out, double seconds)
{
	char text[32];
	fputs(format_seconds(text, seconds), out);
}
