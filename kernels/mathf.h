/* mathf.h - exp and the activations in f32, for the kernels of every target:
 * no branches that depend on anything but the number, no library calls, only
 * operations that IEEE 754 rounds in one way, so that every element gets the
 * same bits wherever it stands and compilers can vectorise.
 *
 * Before it is included, MATHF_FN says how a function is declared and
 * MATHF_FMA(a, b, c) is a b + c.
 */
#ifndef SLUICE_MATHF_H
#define SLUICE_MATHF_H

#include "ir/ops.h"

#include <string.h>

/* e^x within 1.1 units in the last place for x in -87.3 .. 88.3; 0 below that,
 * infinity above, NaN stays.  x = n ln 2 + r with |r| <= ln 2 / 2, e^r = 1 + r +
 * r^2 p(r), p fitted at Chebyshev points (relative error 3e-9). */
MATHF_FN float
mathf_exp(float x)
{
	const float round = 12582912.f;         /* 1.5 * 2^23 */
	float edge = x < -87.3f ? 0.f : x > 88.3f ? __builtin_inff() : 1.f;
	x = x < -87.3f ? -87.3f : x;
	x = x > 88.3f ? 88.3f : x;
	float shifted = MATHF_FMA(x, 1.44269504f, round);
	float n = shifted - round;
	/* ln 2 in two parts: the first has few bits, so n times it is exact */
	float r = MATHF_FMA(n, -0.693145752f, x);
	r = MATHF_FMA(n, -1.42860677e-6f, r);
	float p = 0.00019891080f;
	p = MATHF_FMA(p, r, 0.00139337307f);
	p = MATHF_FMA(p, r, 0.00833331084f);
	p = MATHF_FMA(p, r, 0.0416664642f);
	p = MATHF_FMA(p, r, 0.166666667f);
	p = MATHF_FMA(p, r, 0.5f);
	float y = MATHF_FMA(p, r * r, r) + 1.f;
	/* n stands in the low bits of `shifted`; 2^n as bits of a float */
	uint32_t bits;
	memcpy(&bits, &shifted, sizeof bits);
	bits = (bits + 127) << 23;
	float scale;
	memcpy(&scale, &bits, sizeof scale);
	return y * scale * edge;
}

MATHF_FN float
mathf_sigmoid(float x)
{
	return 1.f / (1.f + mathf_exp(-x));
}

MATHF_FN float
mathf_silu(float x)
{
	return x / (1.f + mathf_exp(-x));
}

/* x (1 + erf(x / sqrt 2)) / 2 = x - x q(x) for x > 0, x q(-x) else, where q(t)
 * = erfc(t / sqrt 2) / 2 = u p(u) e^(-t^2/2) with u = 1 / (1 + t/4); p is fitted
 * at Chebyshev points for t in 0..53 (relative error 3e-8), so nothing cancels
 * on the negative side. */
MATHF_FN float
mathf_gelu(float x)
{
	float t = x < 0.f ? -x : x;
	float u = 1.f / MATHF_FMA(t, 0.25f, 1.f);
	float p = 0.02086837914f;
	p = MATHF_FMA(p, u, -0.08584454518f);
	p = MATHF_FMA(p, u, 0.1051811717f);
	p = MATHF_FMA(p, u, -0.04187508248f);
	p = MATHF_FMA(p, u, 0.07014843256f);
	p = MATHF_FMA(p, u, 0.05646451473f);
	p = MATHF_FMA(p, u, 0.0821923161f);
	p = MATHF_FMA(p, u, 0.09338766548f);
	p = MATHF_FMA(p, u, 0.09974172323f);
	p = MATHF_FMA(p, u, 0.09973543332f);
	float tail = x * (u * p * mathf_exp(-0.5f * t * t));
	return x < 0.f ? tail : x - tail;
}

/* x (1 + tanh(z)) / 2 = x / (1 + e^(-2z)), z = sqrt(2/pi) (x + 0.044715 x^3) */
MATHF_FN float
mathf_gelu_tanh(float x)
{
	float z = x * MATHF_FMA(x * x, 0.0713548163f, 1.59576912f);
	return x / (1.f + mathf_exp(-z));
}

#endif
