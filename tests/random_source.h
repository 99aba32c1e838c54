/* random_source.h - random programs in the language: models of convolutions over
 * space and time, norms, attention, joints, views; alone or in a denoising loop.
 */
#ifndef TEST_RANDOM_SOURCE_H
#define TEST_RANDOM_SOURCE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUES = 24, OPS_MOST = 16, TEXT_MOST = 1 << 14, CHANNELS = 8 };

static uint64_t state;

static uint32_t
pick(uint32_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % n;
}

typedef struct Value {
	bool b;
	int f, h, w, c;
} Value;

typedef struct Source {
	char text[TEXT_MOST];
	size_t n;
	Value value[VALUES];
	int values, weights;
} Source;

static void __attribute__((format(printf, 2, 3)))
put(Source *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(s->text + s->n, sizeof s->text - s->n, fmt, ap);
	va_end(ap);
	s->n += (size_t)n;
	if (s->n >= sizeof s->text)
		abort();
}

/* A new value from an expression; most later ops go on with the last ones. */
static void
add(Source *s, Value v)
{
	s->value[s->values++] = v;
}

static int
any(const Source *s)
{
	return pick(3) ? s->values - 1 : (int)pick((uint32_t)s->values);
}

static const char *
some_axes(void)
{
	static const char *const set[] = {"h, w", "f", "h", "f, h, w", "w"};
	return set[pick(5)];
}

static void
put_conv(Source *s, int from)
{
	Value v = s->value[from];
	int out = CHANNELS * (1 + (int)pick(3)), k = pick(3) ? 3 : 1;
	switch (pick(4)) {
	case 0:
		put(s, "conv(v%d, %d, 3, over=[f]) @w%d\n", from, out,
			s->weights++);
		break;
	case 1:
		if (v.h > 2 && v.w > 2) {
			put(s, "conv(v%d, %d, 3, over=[h, w], stride=2) @w%d\n",
				from, out, s->weights++);
			v.h = (v.h - 1) / 2 + 1;
			v.w = (v.w - 1) / 2 + 1;
			break;
		}
		/* fall through */
	default:
		put(s, "conv(v%d, %d, %d, over=[h, w]) @w%d\n", from, out, k,
			s->weights++);
	}
	v.c = out;
	add(s, v);
}

static void
put_attention(Source *s, int from)
{
	static const char *const over[] = {"h, w", "f", "w"};
	Value v = s->value[from];
	int w = s->weights;
	if (pick(3)) {
		put(s, "attend(linear(v%d, %d) @w%d, linear(v%d, %d) @w%d, "
			"linear(v%d, %d) @w%d, over=[%s], heads=%d)\n", from, v.c,
			w, from, v.c, w + 1, from, v.c, w + 2, over[pick(3)],
			1 + (int)pick(2));
	} else {
		put(s, "attend(linear(v%d, %d) @w%d, linear(text, %d) @w%d, "
			"linear(text, %d) @w%d, over=[token])\n", from, v.c, w,
			v.c, w + 1, v.c, w + 2);
		v.b = true;
	}
	s->weights += 3;
	add(s, v);
}

/* Adds, multiplies or joins two values that fit each other. */
static void
put_pair(Source *s, int from)
{
	Value v = s->value[from];
	for (int k = s->values; k--;) {
		Value u = s->value[k];
		if (u.f != v.f || u.h != v.h || u.w != v.w)
			continue;
		if (u.c == v.c && pick(2)) {
			put(s, "v%d %c v%d\n", from, pick(3) ? '+' : '*', k);
		} else if (u.c + v.c <= 6 * CHANNELS) {
			put(s, "concat(v%d, v%d)\n", from, k);
			v.c += u.c;
		} else {
			continue;
		}
		v.b |= u.b;
		add(s, v);
		return;
	}
	put(s, "silu(v%d)\n", from);
	add(s, v);
}

/* Parts, repetitions, joints along other axes than c: views, or copies of them. */
static void
put_view(Source *s, int from)
{
	Value v = s->value[from];
	static const char axis[] = "fhw";
	char a = axis[pick(3)];
	int *n = a == 'f' ? &v.f : a == 'h' ? &v.h : &v.w, i = (int)pick(
		(uint32_t)*n);
	switch (pick(3)) {
	case 0:
		put(s, "expand(at(v%d, %c=%d), %c=%d)\n", from, a, i, a, *n);
		break;
	case 1:
		put(s, "at(v%d, %c=%d..%d)\n", from, a, i, *n);
		*n -= i;
		break;
	default:
		put(s, "concat(v%d, at(v%d, %c=%d), over=%c)\n", from, from, a, i,
			a);
		*n += 1;
	}
	add(s, v);
}

static void
put_op(Source *s)
{
	int from = any(s);
	Value v = s->value[from];
	put(s, "    v%d = ", s->values);
	switch (pick(10)) {
	case 0: case 1:
		put_conv(s, from);
		return;
	case 2:
		put_attention(s, from);
		return;
	case 3: case 4:
		put_pair(s, from);
		return;
	case 5:
		put(s, "silu(group_norm(v%d, %d, [%s]) @w%d)\n", from,
			pick(2) ? 2 : 4, some_axes(), s->weights++);
		break;
	case 6:
		put(s, "linear(layer_norm(v%d) @w%d, %d) @w%d\n", from,
			s->weights, CHANNELS, s->weights + 1);
		s->weights += 2;
		v.c = CHANNELS;
		break;
	case 8:
		put_view(s, from);
		return;
	case 7:
		if (v.h * v.w <= 64) {
			put(s, "resize(v%d, h=%d, w=%d)\n", from, 2 * v.h, 2 * v.w);
			v.h *= 2;
			v.w *= 2;
			break;
		}
		/* fall through */
	default:
		put(s, "geglu(linear(v%d, %d) @w%d)\n", from, 2 * CHANNELS,
			s->weights++);
		v.c = CHANNELS;
	}
	add(s, v);
}

/* A model; with `steps`, inside a denoising loop. */
static void
make_source(Source *s, int steps)
{
	Value x = {false, 1 + (int)pick(5), 1 + (int)pick(9), 1 + (int)pick(7),
		CHANNELS};
	*s = (Source){.n = 0};
	put(s, "model random(x: [f=%d, h=%d, w=%d, c=%d], text: [b=2, token=3, "
		"c=5]) -> y {\n    v0 = x\n", x.f, x.h, x.w, x.c);
	add(s, x);
	for (int n = 4 + (int)pick(OPS_MOST - 4); n--;)
		put_op(s);
	if (!steps) {
		put(s, "    return v%d\n}\n", s->values - 1);
		return;
	}
	int last = s->values;
	while (s->value[--last].f != x.f || s->value[last].h != x.h
		|| s->value[last].w != x.w)
		;
	put(s, "    return linear(v%d, %d) @last\n}\n", last, x.c);
	put(s, "pipeline loop(x: f32[f=%d, h=%d, w=%d, c=%d], text: [b=2, token=3, "
		"c=5]) -> y {\n    schedule = sampler(%d) @scheduler\n"
		"    x = schedule.start(x)\n    denoise s in schedule {\n"
		"        e = random(s.scale(x), text) @m\n", x.f, x.h, x.w, x.c,
		steps);
	put(s, s->value[last].b ? "        x = s.update(x, 3 * at(e, b=1) - 2 * "
		"at(e, b=0))\n" : "        x = s.update(x, e)\n");
	put(s, "    }\n    return x\n}\n");
}

/* Writes the program to a file. */
static void
write_source(const Source *s, const char *path)
{
	FILE *f = fopen(path, "w");
	if (!f || fputs(s->text, f) < 0 || fclose(f)) {
		perror(path);
		exit(1);
	}
}

#endif
