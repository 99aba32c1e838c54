/* dot.c - text in Graphviz' language. */
#include "compiler/explain/dot.h"

#include <string.h>

/* `s` without quotes; each end of a line is written as \align. */
static void
write_escaped(FILE *out, const char *s, char align)
{
	const char *piece;
	size_t n;
	while ((n = clean_next(&s, &piece)))
		switch (*piece) {
		case '"':
		case '\\':
			fprintf(out, "\\%c", *piece);
			break;
		case '&':       /* Graphviz knows HTML's entities */
			fputs("&amp;", out);
			break;
		case '\n':
			fprintf(out, "\\%c", align);
			break;
		default:
			fwrite(piece, 1, n, out);
		}
}

void
dot_string(FILE *out, const char *s)
{
	fputc('"', out);
	write_escaped(out, s, 'n');
	fputc('"', out);
}

void
dot_lines(FILE *out, const char *s, char align)
{
	fputc('"', out);
	write_escaped(out, s, align);
	fprintf(out, "\\%c\"", align);
}

const char *
dot_fit(const char *name, size_t room, DotFit *fit)
{
	size_t n = strlen(name);
	if (n <= room)
		return name;
	room = room > 256 ? 256 : room ? room : 1;
	name += n - room + 1;           /* the ellipsis is as wide as one */
	while ((*name & 0xc0) == 0x80)  /* not within a character */
		name++;
	snprintf(fit->text, sizeof fit->text, "\342\200\246%s", name);
	return fit->text;
}
