/* pack.c - weights of linear and conv in blocks, as the matrix kernels read them.
 *
 * Output channels are cut into blocks of 64 (within a row part; the last of a
 * part is shorter), input channels likewise.  A block of m output channels is
 * stored as: for every column block of k channels, for every tap, [k][m].  That
 * is the order in which the kernels sum, so they read a matrix front to back,
 * and there is no padding: the place of a block follows from what is in front
 * of it.
 */
#include "kernels/cpu/gemm.h"

#include "ir/base/base.h"

static int64_t
all_cols(const MatrixLayout *m)
{
	return m->cols[0] + m->cols[1];
}

static int64_t
blocks_of(int64_t n)
{
	return (n + GEMM_EDGE - 1) / GEMM_EDGE;
}

int64_t
pack_col_blocks(const MatrixLayout *m)
{
	return blocks_of(m->cols[0]) + blocks_of(m->cols[1]);
}

PackCols
pack_cols(const MatrixLayout *m, int64_t i)
{
	int64_t front = blocks_of(m->cols[0]);
	PackCols c = {.part = i >= front};
	c.first = (c.part ? i - front : i) * GEMM_EDGE;
	int64_t rest = m->cols[c.part] - c.first;
	c.cols = rest < GEMM_EDGE ? rest : GEMM_EDGE;
	return c;
}

int64_t
pack_place(const MatrixLayout *m, int64_t row, int64_t rows, int64_t tap,
	const PackCols *c)
{
	int64_t col = c->first + (c->part ? m->cols[0] : 0);
	return row * all_cols(m) * m->taps + col * m->taps * rows
		+ tap * c->cols * rows;
}

/* The block that row `row` lies in: its first row and its rows. */
static void
row_block(const MatrixLayout *m, int64_t row, int64_t *first, int64_t *rows)
{
	int64_t part = row < m->rows[0] ? 0 : m->rows[0];
	int64_t in_part = part ? m->rows[1] : m->rows[0];
	int64_t at = (row - part) / GEMM_EDGE * GEMM_EDGE;
	*first = part + at;
	*rows = in_part - at < GEMM_EDGE ? in_part - at : GEMM_EDGE;
}

/* Where in its block of `rows` rows the file's element number `e` of a row,
 * [col][tap], begins. */
static int64_t
place_in_block(const MatrixLayout *m, int64_t rows, int64_t e)
{
	int64_t col = e / m->taps, tap = e % m->taps;
	bool second = col >= m->cols[0];
	int64_t in_part = second ? col - m->cols[0] : col;
	PackCols c = pack_cols(m, in_part / GEMM_EDGE
		+ (second ? blocks_of(m->cols[0]) : 0));
	return pack_place(m, 0, rows, tap, &c)
		+ (in_part - c.first) * rows;
}

enum { LANES = 16, STRIP = 256 };

/* `lanes` rows of the file from `src`, into neighbouring lanes of a block of
 * `rows` rows that begins at `block`; `lane` is the first of them.  A strip of
 * columns of all of them is converted, then turned. */
static void
pack_lanes(const MatrixLayout *m, DType to, char *block, int64_t rows,
	int64_t lane, DType from, const char *src, int64_t lanes)
{
	int64_t width = all_cols(m) * m->taps;
	int64_t size = dtype_bytes(to), from_size = dtype_bytes(from);
	union {
		float w[LANES][STRIP];
		uint16_t h[LANES][STRIP];
	} strip;
	for (int64_t e = 0; e < width; e += STRIP) {
		int64_t n = width - e < STRIP ? width - e : STRIP;
		for (int64_t r = 0; r < lanes; r++)
			convert(to, size == 4 ? (void *)strip.w[r]
				: (void *)strip.h[r], from,
				src + (r * width + e) * from_size, n);
		for (int64_t i = 0; i < n; i++) {
			char *y = block + (place_in_block(m, rows, e + i)
				+ lane) * size;
			for (int64_t r = 0; r < lanes && size == 4; r++)
				((float *)(void *)y)[r] = strip.w[r][i];
			for (int64_t r = 0; r < lanes && size == 2; r++)
				((uint16_t *)(void *)y)[r] = strip.h[r][i];
		}
	}
}

void
pack_rows(const MatrixLayout *m, DType to, void *dst, DType from,
	const void *src, int64_t row, int64_t count)
{
	int64_t width = all_cols(m) * m->taps;
	for (int64_t i = 0, lanes; i < count; i += lanes) {
		int64_t first, rows;
		row_block(m, row + i, &first, &rows);
		lanes = min64(min64(LANES, count - i), first + rows - row - i);
		pack_lanes(m, to, (char *)dst + first * width * dtype_bytes(to),
			rows, row + i - first, from, (const char *)src
			+ i * width * dtype_bytes(from), lanes);
	}
}

MatrixLayout
matrix_layout(Op op, const Operand *args, const Attr *attr)
{
	int64_t rows = args[0].part[0].n[AXIS_C];
	MatrixLayout m = {.rows = {rows, 0}, .taps = 1};
	if (op == OP_linear && attr->geglu)
		m.rows[1] = rows;
	for (int i = 0; i < args[1].parts; i++)
		m.cols[i] = args[1].part[i].n[AXIS_C];
	if (op == OP_conv)
		for (int i = 0; i < __builtin_popcount(attr->over); i++)
			m.taps *= attr->kernel[i];
	return m;
}
