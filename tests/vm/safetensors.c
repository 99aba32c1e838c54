/* safetensors.c - reading and writing tensors files: one bad file for each rule
 * of the format, shards, folders, truncation, and every prefix and single bit
 * of a good header.  Also the random numbers of philox.c, against the known
 * answers of the paper's library.
 */
#include "vm/weights/tensors.h"
#include "tests/lib/test.h"
#include "vm/vm.h"
#include "ir/base/philox.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static Arena arena;
static char folder[64], err[TENSORS_ERROR];

static const char *
in_folder(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

static void
write_bytes(const char *path, const void *data, size_t n)
{
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(data, 1, n, f) != n || fclose(f))
		fatal(EXIT_IO, "cannot write '%s'", path);
}

/* A file of header `json` and `data_bytes` bytes 0, 1, 2, ... */
static const char *
write_file_n(const char *name, const char *json, size_t n, size_t data_bytes)
{
	const char *path = in_folder(name);
	char *all = arena_alloc(&arena, 8 + n + data_bytes);
	for (int i = 0; i < 8; i++)
		all[i] = (char)(n >> 8 * i);
	memcpy(all + 8, json, n);
	for (size_t i = 0; i < data_bytes; i++)
		all[8 + n + i] = (char)i;
	write_bytes(path, all, 8 + n + data_bytes);
	return path;
}

static const char *
write_file(const char *name, const char *json, size_t data_bytes)
{
	return write_file_n(name, json, strlen(json), data_bytes);
}

static int
open_code(const char *path)
{
	TensorSet s = {.arena = &arena};
	err[0] = 0;
	int code = tensors_open(&s, path, err);
	CHECK(!code || (!s.fds.n && !s.tensors.n));
	tensors_close(&s);
	return code;
}

/* Refused with the code and a message with `part`, one line long. */
static void
refuse_path(const char *path, int code, const char *part)
{
	int got = open_code(path);
	CHECK(got == code, "%d, not %d: %s", got, code, part);
	CHECK(strstr(err, part), "'%s' lacks '%s'", err, part);
	CHECK(!strchr(err, '\n'));
}

static void
refuse(const char *json, size_t data_bytes, const char *part)
{
	refuse_path(write_file("bad.safetensors", json, data_bytes),
		EXIT_WEIGHTS, part);
}

/* The header of one tensor "a". */
static const char *
one(const char *dtype, const char *shape, const char *offsets)
{
	return arena_printf(&arena, "{\"a\":{\"dtype\":\"%s\",\"shape\":%s,"
		"\"data_offsets\":%s}}", dtype, shape, offsets);
}

static void
test_frame(void)
{
	test("safetensors: too short, header too long");
	const char *path = in_folder("short.safetensors");
	write_bytes(path, "\2\0\0\0\0\0\0", 7);
	refuse_path(path, EXIT_WEIGHTS, "shorter than 8");
	write_bytes(path, "\3\0\0\0\0\0\0\0{}", 10);
	refuse_path(path, EXIT_WEIGHTS, "the header wants 3 bytes");
	write_bytes(path, "\377\377\377\377\377\377\377\377{}", 10);
	refuse_path(path, EXIT_WEIGHTS, "not a safetensors file");
	write_bytes(path, "\1\0\0\1\0\0\0\0{}", 10);
	refuse_path(path, EXIT_WEIGHTS, "16777217 bytes");
	write_bytes(path, "\0\0\0\0\0\0\0\0", 8);
	refuse_path(path, EXIT_WEIGHTS, "no JSON map");

	test("safetensors: header begins with { and ends with } and spaces");
	refuse(" {}", 0, "no JSON map");
	refuse("[]", 0, "no JSON map");
	refuse("{}\n", 0, "does not end with '}'");
	refuse("{}x", 0, "does not end with '}'");
	refuse("{} {}", 0, "behind the value");
	CHECK(!open_code(write_file("a.safetensors", "{}   ", 0)), "%s", err);

	test("safetensors: strict JSON");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[[[[]]]]}}", 0, "too deep");
	refuse("{\"\xff\":1}", 0, "UTF-8");
	refuse(arena_printf(&arena, "{%s,%s}", "\"a\":{\"dtype\":\"U8\","
		"\"shape\":[1],\"data_offsets\":[0,1]}", "\"a\":{\"dtype\":"
		"\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}"), 2,
		"duplicate key \"a\"");
	refuse("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[0],"
		"\"data_offsets\":[0,0]}}", 0, "duplicate key");
}

static void
test_fields(void)
{
	test("safetensors: fields of a tensor");
	refuse("{\"a\":1}", 0, "'a': no map");
	refuse("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype");
	refuse("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "shape");
	refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "data_offsets");
	refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],"
		"\"x\":0}}", 1, "a field other than");

	test("safetensors: __metadata__ maps strings to strings");
	refuse("{\"__metadata__\":[]}", 0, "__metadata__");
	refuse("{\"__metadata__\":{\"a\":1}}", 0, "__metadata__");
	CHECK(!open_code(write_file("a.safetensors",
		"{\"__metadata__\":{\"format\":\"pt\"}}", 0)), "%s", err);

	test("safetensors: names");
	char name[600];
	memset(name, 'n', sizeof name);
	name[513] = 0;
	char *json = arena_printf(&arena, "{\"%s\":{\"dtype\":\"U8\","
		"\"shape\":[0],\"data_offsets\":[0,0]}}", name);
	refuse(json, 0, "longer than 512");
	name[512] = 0;
	json = arena_printf(&arena, "{\"%s\":{\"dtype\":\"U8\","
		"\"shape\":[0],\"data_offsets\":[0,0]}}", name);
	CHECK(!open_code(write_file("a.safetensors", json, 0)), "%s", err);
	refuse("{\"a\\u001b[2J\":{\"dtype\":\"U8\",\"shape\":[0],"
		"\"data_offsets\":[0,0]}}", 0, "control byte");
	refuse("{\"a\\u007f\":{\"dtype\":\"U8\",\"shape\":[0],"
		"\"data_offsets\":[0,0]}}", 0, "control byte");
	refuse("{\"a\\u0000\":{\"dtype\":\"U8\",\"shape\":[0],"
		"\"data_offsets\":[0,0]}}", 0, "NUL");
}

static void
test_shapes(void)
{
	test("safetensors: plain integers only");
	refuse(one("U8", "[1.0]", "[0,1]"), 1, "extent");
	refuse(one("U8", "[1e0]", "[0,1]"), 1, "extent");
	refuse(one("U8", "[-0]", "[0,0]"), 0, "extent");
	refuse(one("U8", "[-1]", "[0,1]"), 1, "extent");
	refuse(one("U8", "[\"1\"]", "[0,1]"), 1, "extent");
	refuse(one("U8", "1", "[0,1]"), 1, "`shape` is no list");
	refuse(one("U8", "[1]", "[0.0,1]"), 1, "offset");
	refuse(one("U8", "[1]", "[-0,1]"), 1, "offset");
	refuse(one("U8", "[1]", "[0,18446744073709551615]"), 1, "offset");
	refuse(one("U8", "[1]", "[0,1,2]"), 1, "list of two");

	test("safetensors: types, rank, sizes");
	refuse(one("F31", "[1]", "[0,4]"), 4, "unknown dtype");
	refuse(one("f32", "[1]", "[0,4]"), 4, "unknown dtype");
	refuse(one("F32\\u0000", "[1]", "[0,4]"), 4, "unknown dtype");
	refuse(one("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "8 dimensions");
	refuse(one("U8", "[2147483649]", "[0,1]"), 1, "2^31");
	refuse(one("U8", "[2147483648,2147483648,4]", "[0,1]"), 1, "overflows");
	refuse(one("U8", "[2147483648,2147483648,4,0]", "[0,0]"), 0,
		"overflows");
	refuse(one("F64", "[2147483648,1073741824]", "[0,1]"), 1, "overflows");
	refuse(one("U8", "[1048576,1073741824]", "[0,1]"), 1, "2^46");
	refuse(one("F4", "[3]", "[0,1]"), 1, "not filled");
	refuse(one("F32", "[2]", "[0,4]"), 4, "the size is not");
	refuse(one("F32", "[1]", "[0,8]"), 8, "the size is not");
	CHECK(!open_code(write_file("a.safetensors",
		one("F4", "[4]", "[0,2]"), 2)), "%s", err);
	CHECK(!open_code(write_file("a.safetensors",
		one("F32", "[0,2147483648]", "[0,0]"), 0)), "%s", err);

	test("safetensors: rank 0 is one element");
	CHECK(!open_code(write_file("a.safetensors", one("F32", "[]", "[0,4]"),
		4)), "%s", err);
	refuse(one("F32", "[]", "[0,0]"), 0, "the size is not");
}

/* The header of tensors "a" and "b", one byte each unless the places differ. */
static const char *
two(int a0, int a1, int b0, int b1)
{
	return arena_printf(&arena, "{\"a\":{\"dtype\":\"U8\",\"shape\":[%d],"
		"\"data_offsets\":[%d,%d]},\"b\":{\"dtype\":\"U8\",\"shape\":"
		"[%d],\"data_offsets\":[%d,%d]}}", a1 - a0, a0, a1, b1 - b0,
		b0, b1);
}

static void
test_places(void)
{
	test("safetensors: no hole, no overlap, no tail");
	CHECK(!open_code(write_file("a.safetensors", two(0, 2, 2, 3), 3)));
	CHECK(!open_code(write_file("a.safetensors", two(1, 3, 0, 1), 3)));
	CHECK(!open_code(write_file("a.safetensors", two(1, 1, 0, 1), 1)));
	refuse(two(0, 2, 1, 3), 3, "'b': overlaps");
	refuse(two(0, 2, 0, 2), 2, "overlaps");
	refuse(two(0, 1, 2, 3), 3, "'b': a hole");
	refuse(two(1, 2, 2, 3), 3, "'a': a hole");
	refuse(two(0, 1, 1, 2), 3, "1 bytes behind");
	refuse(two(0, 1, 1, 3), 2, "behind the end of the file");
	refuse("{}", 1, "1 bytes behind");
	refuse(one("U8", "[1]", "[1,0]"), 1, "in front of its begin");
	refuse(one("U8", "[0]", "[1,1]"), 1, "a hole");
}

static void
test_files(void)
{
	test("safetensors: what is no file");
	refuse_path(in_folder("absent.safetensors"), EXIT_IO, "cannot open");
	refuse_path("/dev/null", EXIT_WEIGHTS, "not a regular file");
	const char *pipe_path = in_folder("pipe.safetensors");
	CHECK(!mkfifo(pipe_path, 0600));
	refuse_path(pipe_path, EXIT_WEIGHTS, "not a regular file");

	test("safetensors: a sparse file of a terabyte");
	const char *path = write_file("big.safetensors", "{}", 0);
	CHECK(!truncate(path, (off_t)1 << 40));
	refuse_path(path, EXIT_WEIGHTS, "behind the last tensor");
	unlink(path);

	test("safetensors: truncated while open");
	path = write_file("cut.safetensors", one("U8", "[100]", "[0,100]"),
		100);
	TensorSet s = {.arena = &arena};
	char data[100];
	CHECK(!tensors_open(&s, path, err), "%s", err);
	const Tensor *t = tensors_find(&s, "a");
	CHECK(t && !tensor_read(&s, t, 90, data, 10, err) && data[9] == 99);
	CHECK(!truncate(path, 100));
	CHECK(t && tensor_read(&s, t, 0, data, 100, err) == EXIT_IO);
	CHECK(strstr(err, "ends early"), "%s", err);
	tensors_close(&s);
}

/* ---- writing ---- */

static void
test_round_trip(void)
{
	test("safetensors: what is written is read");
	float x[6] = {1, -2, 3.5f, 4, 5, 6}, scalar = 7;
	uint16_t h[3] = {0x3c00, 0x4000, 0};
	int32_t k[2] = {-1, 77};
	TensorOut out[] = {
		{"weight \"\xc3\xa9\"", DT_F32, 2, {2, 3}, x},
		{"half", DT_F16, 1, {3}, h},
		{"ids", DT_I32, 1, {2}, k},
		{"scalar", DT_F32, 0, {0}, &scalar},
		{"nothing", DT_BF16, 2, {0, 5}, x},
	};
	const char *path = in_folder("out.safetensors");
	CHECK(!tensors_write(path, out, COUNT_OF(out), err), "%s", err);
	TensorSet s = {.arena = &arena};
	CHECK(!tensors_open(&s, path, err), "%s", err);
	CHECK(s.tensors.n == COUNT_OF(out));
	for (size_t i = 0; i < COUNT_OF(out); i++) {
		const Tensor *t = tensors_find(&s, out[i].name);
		char back[24];
		CHECK(t && t->dtype == out[i].dtype && t->rank == out[i].rank);
		if (!t)
			continue;
		for (int d = 0; d < t->rank; d++)
			CHECK(t->dim[d] == out[i].dim[d]);
		CHECK(!tensor_read(&s, t, 0, back, t->bytes, err), "%s", err);
		CHECK(!memcmp(back, out[i].data, (size_t)t->bytes));
	}
	CHECK(s.tensors.n && (s.tensors.at[0].offset & 1) == 0);
	CHECK(!tensors_find(&s, "absent"));
	tensors_close(&s);

	test("safetensors: writing fails whole");
	CHECK(tensors_write(in_folder("no/such.safetensors"), out, 1, err)
		== EXIT_IO);
	CHECK(tensors_write("/dev/full", out, 1, err) == EXIT_IO);
	CHECK(strstr(err, "/dev/full"), "%s", err);
}

/* ---- shards and folders ---- */

static const char *
shard(const char *name, const char *tensor)
{
	return write_file(name, arena_printf(&arena, "{\"%s\":{\"dtype\":\"U8\""
		",\"shape\":[1],\"data_offsets\":[0,1]}}", tensor), 1);
}

static const char *
write_index(const char *map)
{
	const char *path = in_folder("model.safetensors.index.json");
	char *json = arena_printf(&arena, "{\"metadata\":{\"total_size\":2},"
		"\"weight_map\":%s}", map);
	write_bytes(path, json, strlen(json));
	return path;
}

static void
refuse_index(const char *map, int code, const char *part)
{
	refuse_path(write_index(map), code, part);
}

static void
test_shards(void)
{
	shard("s1.safetensors", "a");
	shard("s2.safetensors", "b");
	test("safetensors: shards");
	TensorSet s = {.arena = &arena};
	const char *good = "{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}";
	CHECK(!tensors_open(&s, write_index(good), err), "%s", err);
	CHECK(s.tensors.n == 2 && s.fds.n == 2);
	const Tensor *t = tensors_find(&s, "b");
	CHECK(t && strstr(s.paths.at[t->file], "s2.safetensors"));
	tensors_close(&s);

	test("safetensors: index and shards agree");
	refuse_index("{\"a\":\"s1.safetensors\",\"b\":\"s1.safetensors\"}",
		EXIT_WEIGHTS, "'b' is not in shard 's1");
	refuse_index("{\"a\":\"s1.safetensors\",\"c\":\"s2.safetensors\"}",
		EXIT_WEIGHTS, "that the index does not put there");
	shard("s3.safetensors", "a");
	refuse_index("{\"a\":\"s1.safetensors\",\"b\":\"s3.safetensors\"}",
		EXIT_WEIGHTS, "that the index does not put there");
	refuse_index("{\"a\":\"gone.safetensors\"}", EXIT_IO, "cannot open");
	refuse_index("{\"a\":\"bad.safetensors\"}", EXIT_WEIGHTS, "bad.safe");
	refuse_index("{}", EXIT_WEIGHTS, "weight_map");
	refuse_index("[]", EXIT_WEIGHTS, "weight_map");
	refuse_index("{\"a\":1}", EXIT_WEIGHTS, "plain file name");
	refuse_index("{", EXIT_WEIGHTS, "is missing");
	refuse_index("{\"a\":\"s1.safetensors\",\"a\":\"s2.safetensors\"}",
		EXIT_WEIGHTS, "duplicate");

	test("safetensors: shards stay in the folder");
	refuse_index("{\"a\":\"../s1.safetensors\"}", EXIT_WEIGHTS, "plain");
	refuse_index("{\"a\":\"..\"}", EXIT_WEIGHTS, "plain");
	refuse_index("{\"a\":\"\"}", EXIT_WEIGHTS, "plain");
	refuse_index("{\"a\":\"/etc/passwd\"}", EXIT_WEIGHTS, "plain");
	refuse_index("{\"a\":\"s1.safetensors\\u0000\"}", EXIT_WEIGHTS,
		"plain");
	refuse_index("{\"a\":\"x\\u001b[2J\"}", EXIT_WEIGHTS, "plain");
	CHECK(!symlink("/etc/passwd", in_folder("link.safetensors")));
	refuse_index("{\"a\":\"link.safetensors\"}", EXIT_WEIGHTS,
		"leaves the folder");
	CHECK(!symlink("s1.safetensors", in_folder("inside.safetensors")));
	CHECK(!open_code(write_index("{\"a\":\"inside.safetensors\"}")), "%s",
		err);
	/* a sibling whose name begins alike is not inside */
	CHECK(!mkdir(in_folder("d"), 0700) && !mkdir(in_folder("dd"), 0700));
	shard("dd/x.safetensors", "a");
	CHECK(!symlink("../dd/x.safetensors", in_folder("d/x.safetensors")));
	const char *index = in_folder("d/model.safetensors.index.json");
	const char *json = "{\"weight_map\":{\"a\":\"x.safetensors\"}}";
	write_bytes(index, json, strlen(json));
	refuse_path(index, EXIT_WEIGHTS, "leaves the folder");

	test("safetensors: shards that are links into a hub's cache");
	CHECK(!mkdir(in_folder("blobs"), 0700));
	CHECK(!mkdir(in_folder("snapshots"), 0700));
	CHECK(!mkdir(in_folder("snapshots/1"), 0700));
	shard("blobs/0123", "a");
	CHECK(!symlink("../../blobs/0123",
		in_folder("snapshots/1/x.safetensors")));
	index = in_folder("snapshots/1/model.safetensors.index.json");
	write_bytes(index, json, strlen(json));
	CHECK(!open_code(index), "%s", err);
}

/* The file that a folder with these files gives. */
static void
folder_gives(const char *const *files, size_t n, const char *tensor)
{
	const char *path = in_folder("pick");
	CHECK(!mkdir(path, 0700));
	for (size_t i = 0; i < n; i++)
		shard(arena_printf(&arena, "pick/%s", files[i]),
			arena_printf(&arena, "t%zu", i));
	TensorSet s = {.arena = &arena};
	CHECK(!tensors_open(&s, path, err), "%s", err);
	CHECK(tensors_find(&s, tensor), "%s", files[0]);
	tensors_close(&s);
	for (size_t i = 0; i < n; i++)
		unlink(in_folder(arena_printf(&arena, "pick/%s", files[i])));
	rmdir(path);
}

static void
test_folders(void)
{
	test("safetensors: which file of a folder");
	static const char *const files[] = {
		"model.fp16.safetensors",
		"diffusion_pytorch_model.fp16.safetensors",
		"model.safetensors",
		"diffusion_pytorch_model.safetensors",
	};
	folder_gives(files, 1, "t0");
	folder_gives(files, 2, "t1");
	folder_gives(files, 3, "t2");
	folder_gives(files, 4, "t3");
	CHECK(!mkdir(in_folder("empty"), 0700));
	refuse_path(in_folder("empty"), EXIT_WEIGHTS, "the folder holds no");

	test("safetensors: an index in a folder");
	CHECK(!mkdir(in_folder("sharded"), 0700));
	shard("sharded/s.safetensors", "z");
	const char *json = "{\"weight_map\":{\"z\":\"s.safetensors\"}}";
	write_bytes(in_folder("sharded/diffusion_pytorch_model.safetensors"
		".index.fp16.json"), json, strlen(json));
	CHECK(!open_code(in_folder("sharded")), "%s", err);

	test("safetensors: later folders win");
	TensorSet s = {.arena = &arena};
	const char *a = write_file("l1.safetensors", two(0, 1, 1, 2), 2);
	const char *b = write_file("l2.safetensors", one("U8", "[3]", "[0,3]"),
		3);
	CHECK(!tensors_open(&s, a, err) && !tensors_open(&s, b, err));
	CHECK(tensors_open(&s, in_folder("bad.safetensors"), err));
	CHECK(s.tensors.n == 2 && s.fds.n == 2);
	const Tensor *t = tensors_find(&s, "a");
	CHECK(t && t->dim[0] == 3 && t->file == 1);
	t = tensors_find(&s, "b");
	CHECK(t && t->dim[0] == 1 && t->file == 0);
	tensors_close(&s);
}

/* ---- exhaustive damage ---- */

/* Whether accepted tensors satisfy, by a second computation, what the reader
 * promises: they tile the data and fit their shapes. */
static bool
consistent(const TensorList *l, int64_t begin, int64_t end)
{
	int64_t sum = 0;
	for (size_t i = 0; i < l->n; i++) {
		const Tensor *t = &l->at[i];
		__int128 bits = 0;
		for (int k = 0; k < tensor_types_count; k++)
			if (!strcmp(tensor_types[k].name, t->dtype_text))
				bits = tensor_types[k].bits;
		for (int d = 0; d < t->rank; d++)
			bits *= t->dim[d];
		if (bits != (__int128)t->bytes * 8 || t->offset < begin
			|| t->offset > end || t->bytes > end - t->offset)
			return false;
		sum += t->bytes;
		for (size_t j = 0; j < i; j++)
			if (t->bytes && l->at[j].bytes
				&& t->offset < l->at[j].offset + l->at[j].bytes
				&& l->at[j].offset < t->offset + t->bytes)
				return false;
	}
	return sum == end - begin;
}

static void
test_damage(void)
{
	static const char json[] = "{\"__metadata__\":{\"f\":\"pt\"},\"a.w\":"
		"{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
		"\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}"
		"}  ";
	size_t n = sizeof json - 1, accepted = 0;
	test("safetensors: every prefix of a header is refused");
	for (size_t i = 0; i < n - 2; i++) {
		TensorList l = {0};
		char *copy = malloc(i + 1);
		memcpy(copy, json, i);
		CHECK(!tensors_parse(&arena, copy, i, 16, 0, &l, err), "%zu", i);
		free(copy);
		vec_free(&l);
	}
	test("safetensors: a flipped bit is refused or does no harm");
	for (size_t i = 0; i < 8 * n; i++) {
		TensorList l = {0};
		char *copy = malloc(n);
		memcpy(copy, json, n);
		copy[i / 8] = (char)(copy[i / 8] ^ 1 << i % 8);
		if (tensors_parse(&arena, copy, n, 16, 0, &l, err)) {
			accepted++;
			CHECK(consistent(&l, 8 + (int64_t)n,
				8 + (int64_t)n + 16), "bit %zu", i);
		}
		free(copy);
		vec_free(&l);
	}
	/* only bits of names, of the metadata and of like types */
	CHECK(accepted > 0 && accepted < 80, "%zu", accepted);
}

/* ---- random numbers ---- */

static void
test_philox(void)
{
	static const struct {
		uint32_t counter[4], key[2], out[4];
	} known[] = {
		{{0}, {0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u},
			{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			{0xa4093822, 0x299f31d0},
			{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	};
	test("philox: known answers");
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		uint32_t out[4];
		philox_block(known[i].counter, known[i].key, out);
		CHECK(!memcmp(out, known[i].out, sizeof out), "case %zu", i);
	}

	test("philox: Box-Muller agrees with the C library");
	enum { N = 100000 };
	float *x = malloc(N * sizeof *x);
	philox_normal(42, 7, x, N);
	double worst = 0;
	for (uint32_t i = 0; i < N; i += 2) {
		uint32_t counter[4] = {i / 4, 0, 7, 0}, key[2] = {42, 0}, w[4];
		philox_block(counter, key, w);
		double u = (w[i % 4] + 0.5) / 4294967296.0;
		double t = 2 * 3.14159265358979323846 * w[i % 4 + 1]
			/ 4294967296.0;
		double r = sqrt(-2 * log(u));
		worst = fmax(worst, fabs(r * cos(t) - (double)x[i]));
		worst = fmax(worst, fabs(r * sin(t) - (double)x[i + 1]));
	}
	CHECK(worst < 3e-7, "%g", worst);

	test("philox: moments of the normal distribution");
	double sum[5] = {0};
	for (int i = 0; i < N; i++)
		for (int k = 1; k <= 4; k++)
			sum[k] += pow((double)x[i], k) / N;
	CHECK(fabs(sum[1]) < 0.015, "%g", sum[1]);
	CHECK(fabs(sum[2] - 1) < 0.025, "%g", sum[2]);
	CHECK(fabs(sum[3]) < 0.05, "%g", sum[3]);
	CHECK(fabs(sum[4] - 3) < 0.15, "%g", sum[4]);

	test("philox: streams, seeds and lengths");
	float a[7], b[7];
	philox_normal(1, 2, a, 7);
	philox_normal(1, 2, b, 5);
	CHECK(!memcmp(a, b, 5 * sizeof *a));
	philox_normal(1, 3, b, 7);
	CHECK(memcmp(a, b, sizeof a));
	philox_normal((uint64_t)1 << 32 | 1, 2, b, 7);
	CHECK(memcmp(a, b, sizeof a));
	CHECK(philox_stream("noise") != philox_stream("image_noise"));
	free(x);
}

int
main(void)
{
	snprintf(folder, sizeof folder, "/tmp/sluice-test-XXXXXX");
	if (!mkdtemp(folder))
		fatal(EXIT_IO, "cannot make a temporary folder");
	test_frame();
	test_fields();
	test_shapes();
	test_places();
	test_files();
	test_round_trip();
	test_shards();
	test_folders();
	test_damage();
	test_philox();
	char *command = arena_printf(&arena, "rm -rf %s", folder);
	if (system(command))
		warn("cannot remove %s", folder);
	arena_free(&arena);
	return test_end();
}
