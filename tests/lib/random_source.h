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

enum { VALUES = 64, OPS_MOST = 16, TEXT_MOST = 1 << 14, CHANNELS = 8, SIZE_MOST = 600 };

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
	bool rare;              /* also the ops of put_rare */
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

/* A convolution over all three axes: strides, kernels and padding for each. */
static void
put_conv3(Source *s, int from)
{
	Value v = s->value[from];
	int *extent[] = {&v.f, &v.h, &v.w}, k[3], stride[3], before[3], after[3];
	for (int i = 0; i < 3; i++) {
		k[i] = 1 + (int)pick(3);
		stride[i] = pick(4) ? 1 : 2;
		before[i] = (int)pick((uint32_t)k[i]);
		after[i] = (int)pick((uint32_t)k[i]);
		if (*extent[i] + before[i] + after[i] < k[i])
			after[i] = k[i] - 1;
		*extent[i] = (*extent[i] + before[i] + after[i] - k[i])
			/ stride[i] + 1;
	}
	v.c = CHANNELS * (1 + (int)pick(2));
	put(s, "conv(v%d, %d, {f: %d, h: %d, w: %d}, over=[f, h, w], "
		"stride={f: %d, h: %d, w: %d}, pad={f: [%d, %d], h: [%d, %d], "
		"w: [%d, %d]}) @w%d\n", from, v.c, k[0], k[1], k[2], stride[0],
		stride[1], stride[2], before[0], after[0], before[1], after[1],
		before[2], after[2], s->weights++);
	add(s, v);
}

/* Attention with a mask over frames; to a part of all pixels, merged; to one of
 * several things along an axis of its own. */
static void
put_attention_kind(Source *s, int from)
{
	Value v = s->value[from];
	int w = s->weights;
	s->weights += 3;
	switch (pick(3)) {
	case 0:
		put(s, "attend(linear(v%d, %d) @w%d, linear(v%d, %d) @w%d, "
			"linear(v%d, %d) @w%d, over=[f], causal=true)\n", from,
			v.c, w, from, v.c, w + 1, from, v.c, w + 2);
		break;
	case 1:
		put(s, "attend(v%d, merge(linear(v%d, %d) @w%d, [h, w], token), "
			"merge(linear(v%d, %d) @w%d, [h, w], token), "
			"over=[token], heads=2)\n", from, from, v.c, w, from,
			v.c, w + 1);
		break;
	default:
		put(s, "attend(v%d, silu(expand(v%d, id=2)) * weight(id=2, c=%d) "
			"@w%d, linear(expand(v%d, id=2), %d) @w%d, over=[id])\n",
			from, from, v.c, w, from, v.c, w + 1);
	}
	add(s, v);
}

/* Down, something there, up again and joined with what was kept. */
static void
put_skip(Source *s, int from)
{
	Value v = s->value[from], d = v;
	int w = s->weights;
	s->weights += 5;
	if (v.h < 2 || v.w < 2 || v.c > 3 * CHANNELS) {
		put(s, "silu(v%d)\n", from);
		add(s, v);
		return;
	}
	d.h = (v.h - 1) / 2 + 1;
	d.w = (v.w - 1) / 2 + 1;
	d.c = 2 * CHANNELS;
	put(s, "silu(conv(v%d, %d, 3, over=[h, w], stride=2) @w%d)\n", from, d.c,
		w);
	add(s, d);
	put(s, "    v%d = v%d + conv(silu(group_norm(v%d, 2, [f, h, w]) @w%d), "
		"%d, 3, over=[%s]) @w%d\n", s->values, s->values - 1,
		s->values - 1, w + 1, d.c, pick(2) ? "h, w" : "f", w + 2);
	add(s, d);
	put(s, "    v%d = linear(concat(v%d, resize(v%d, h=%d, w=%d)), %d) "
		"@w%d\n", s->values, from, s->values - 1, v.h, v.w, v.c, w + 3);
	add(s, v);
}

/* Numbers and rows of the file, broadcast; two values blended by one of them;
 * points where a step may be used again; halves of a batch. */
static void
put_scaled(Source *s, int from)
{
	Value v = s->value[from];
	int w = s->weights++;
	switch (pick(6)) {
	case 0:
		put(s, "v%d * weight() @w%d\n", from, w);
		break;
	case 1:
		put(s, "v%d + weight(f=%d, c=%d) @w%d\n", from, v.f, v.c, w);
		break;
	case 2:
		put(s, "blend(sigmoid(weight() @w%d), silu(v%d), v%d)\n", w,
			from, from);
		break;
	case 3:
		put(s, "rehash(v%d, \"p%d\")\n", from, w);
		break;
	case 4:
		if (!v.b) {
			put(s, "expand(v%d, b=2)\n", from);
			v.b = true;
			break;
		}
		put(s, "at(v%d, b=0) + 2 * at(v%d, b=1)\n", from, from);
		v.b = false;
		break;
	default:
		put(s, "v%d / weight(h=%d, w=%d) @w%d\n", from, v.h, v.w, w);
	}
	add(s, v);
}

/* Any other extent of an axis. */
static void
put_resize(Source *s, int from)
{
	Value v = s->value[from];
	int axis = (int)pick(3), *n = axis == 0 ? &v.f : axis == 1 ? &v.h : &v.w;
	int most = SIZE_MOST / (v.f * v.h * v.w / *n);
	static const int factors[] = {2, 3, 5};
	int to = pick(3) ? *n * factors[pick(3)] - (int)pick(2)
		: 1 + (int)pick(12);
	if (to > most)
		to = *n > 1 ? *n / 2 : 1;
	*n = to;
	put(s, "resize(v%d, %c=%d)\n", from, "fhw"[axis], to);
	add(s, v);
}

/* What the first ops leave out; the numbers of put_op are those of old seeds. */
static void
put_rare(Source *s, int from)
{
	switch (pick(5)) {
	case 0: put_conv3(s, from); break;
	case 1: put_attention_kind(s, from); break;
	case 2: put_skip(s, from); break;
	case 3: put_scaled(s, from); break;
	default: put_resize(s, from);
	}
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
	if (s->rare && pick(2)) {
		put_rare(s, from);
		return;
	}
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

/* A value of the first one's extents in space and time: there always is one. */
static int
like_first(const Source *s)
{
	int last = s->values;
	const Value *x = &s->value[0];
	while (s->value[--last].f != x->f || s->value[last].h != x->h
		|| s->value[last].w != x->w)
		;
	return last;
}

/* A denoising loop around the model. */
static void
put_pipeline(Source *s, int steps, bool batch)
{
	const Value *x = &s->value[0];
	put(s, "pipeline loop(x: f32[f=%d, h=%d, w=%d, c=%d], text: [b=2, token=3, "
		"c=5]%s) -> y {\n    schedule = sampler(%d) @scheduler\n"
		"    x = schedule.start(x)\n    denoise s in schedule {\n"
		"        e = random(s.scale(x), text) @m\n", x->f, x->h, x->w, x->c,
		s->rare ? ", guidance: f32[]" : "", steps);
	if (!batch)
		put(s, "        x = s.update(x, e)\n");
	else if (s->rare)
		put(s, "        u = at(e, b=0)\n        x = s.update(x, u + "
			"guidance * (at(e, b=1) - u))\n");
	else
		put(s, "        x = s.update(x, 3 * at(e, b=1) - 2 * at(e, b=0))\n");
	put(s, "    }\n    return x\n}\n");
}

/* A model; with `steps`, inside a denoising loop.  `rare`: also of ops that are
 * seldom in models. */
static void
make_source(Source *s, int steps, bool rare)
{
	Value x = {false, 1 + (int)pick(5), 1 + (int)pick(9), 1 + (int)pick(7),
		CHANNELS};
	*s = (Source){.rare = rare};
	bool two = rare && !steps && !pick(3);
	if (rare && !pick(4))
		x.f = 1;
	put(s, "%smodel random(x: [f=%d, h=%d, w=%d, c=%d], text: [b=2, token=3, "
		"c=5]) -> y%s {\n    v0 = x\n", rare ? "axis id\n" : "", x.f, x.h,
		x.w, x.c, two ? ", z" : "");
	add(s, x);
	for (int n = 4 + (int)pick(OPS_MOST - 4); n--;)
		put_op(s);
	if (!steps) {
		put(s, "    return v%d", s->values - 1);
		if (two)
			put(s, ", v%d", (int)pick((uint32_t)s->values));
		put(s, "\n}\n");
		return;
	}
	int last = like_first(s);
	put(s, "    return linear(v%d, %d) @last\n}\n", last, x.c);
	put_pipeline(s, steps, s->value[last].b);
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
