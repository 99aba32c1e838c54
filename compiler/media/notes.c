/* notes.c - what made a video, as text and as XMP. */
#include "compiler/media/media.h"

#include <stdlib.h>
#include <string.h>

/* A stream that writes to memory, and the arena's copy of what it wrote. */
static FILE *
open_text(char **text, size_t *size)
{
	FILE *f = open_memstream(text, size);
	if (!f)
		fatal(EXIT_MEMORY, "out of memory");
	return f;
}

static char *
close_text(Arena *a, FILE *f, char **text, size_t *size)
{
	bool bad = ferror(f) != 0;
	if (fclose(f) || bad || !*text)
		fatal(EXIT_MEMORY, "out of memory");
	char *kept = arena_strndup(a, *text, *size);
	free(*text);
	return kept;
}

const char *
notes_text(Arena *a, const Video *v, size_t limit)
{
	char *text, *kept;
	size_t size;
	FILE *f = open_text(&text, &size);
	for (size_t i = 0; i < v->n_notes; i++) {
		fprintf(f, "%s%s: ", i ? "\n" : "", v->notes[i].key);
		print_clean(f, v->notes[i].text);
	}
	kept = close_text(a, f, &text, &size);
	if (size > limit) {
		/* not in the middle of a character */
		while (limit && ((unsigned char)kept[limit] & 0xc0) == 0x80)
			limit--;
		kept[limit] = 0;
	}
	return kept;
}

/* An attribute's value: the characters that XML has its own use for, and line
 * ends, which it would make spaces. */
static void
put_attribute(FILE *f, const char *s)
{
	const char *piece;
	for (size_t n = clean_next(&s, &piece); n; n = clean_next(&s, &piece)) {
		if (n == 1 && strchr("&<>\"\n\t\r", *piece))
			fprintf(f, "&#%d;", *piece);
		else
			fwrite(piece, 1, n, f);
	}
}

const char *
notes_xmp(Arena *a, const Video *v)
{
	char *text;
	size_t size;
	FILE *f = open_text(&text, &size);
	fputs("<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"
		"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
		"xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
		"<rdf:Description rdf:about=\"\" xmlns:sluice=\"urn:sluice\"", f);
	for (size_t i = 0; i < v->n_notes; i++) {
		fprintf(f, " sluice:%s=\"", v->notes[i].key);
		put_attribute(f, v->notes[i].text);
		fputc('"', f);
	}
	fputs("/></rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>", f);
	return close_text(a, f, &text, &size);
}
