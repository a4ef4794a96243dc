// exp, expm1, log, log1p, tanh and the logistic function on vectors, branch-free, for kernel files of every level.
//
// Glossary: x = 2^k * m (or x = k log 2 + r) is the reduction; k travels as a float in `k` and as a biased integer in
// the bits of `t`; c is what rounding took from r; h, s are powers of two made by writing an exponent field.
//
// Every function holds its error bound with and without fused multiply-add (the base level has none; kernel files let
// the compiler contract a * b + c), treats subnormal arguments and results exactly like any other, propagates NaN, and
// handles each lane on its own: a value never depends on its neighbours or on its place in the array.
//
// Bounds are in units in the last place (ULP) of the exact result: largest error seen in tests/num/test_elementwise.py
// over all levels, rounded up. Coefficients: scripts/fit_polynomials.py.
//
// References: W. J. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980 (reductions);
// P. T. P. Tang, "Table-driven implementation of the logarithm function", ACM TOMS 16, 1990 (log from s = f / (2 + f));
// J.-M. Muller et al., "Handbook of Floating-Point Arithmetic", 2nd ed., 2018 (TwoSum, error of reductions).
#pragma once
#include "mlcore/num/simd.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {

/// Unsigned lanes as wide as T: shifts are logical, which every level has.
template <class T>
struct BitTypes;
template <>
struct BitTypes<float> {
  typedef std::uint32_t Word;
  typedef std::uint32_t Bits __attribute__((vector_size(kVectorBytes)));
};
template <>
struct BitTypes<double> {
  typedef std::uint64_t Word;
  typedef std::uint64_t Bits __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Bits = typename BitTypes<T>::Bits;

template <class T>
MLCORE_INLINE Bits<T> bits_of(Vec<T> v) noexcept {
  return reinterpret_cast<Bits<T>>(v);
}
template <class T>
MLCORE_INLINE Vec<T> from_bits(Bits<T> b) noexcept {
  return reinterpret_cast<Vec<T>>(b);
}

template <class T>
struct MathConstants;

template <>
struct MathConstants<double> {
  typedef std::uint64_t Word;
  static constexpr int kMantissaBits = 52;
  static constexpr Word kExponentBias = 1023;
  static constexpr Word kSign = 0x8000000000000000u;
  static constexpr Word kSqrtHalfBits = 0x3fe6a09e667f3bcdu;
  static constexpr Word kIntegerBits =
      0x4330000000000000u;  ///< of 2^52: or-ing a small integer in gives 2^52 + integer
  static constexpr double kInteger = 0x1p52;
  static constexpr double kRound = 0x1.8p52;  ///< adding it rounds to an integer, left in the low bits
  static constexpr double kMinNormal = 0x1p-1022;
  static constexpr double kSubnormalScale = 0x1p54;
  static constexpr double kSubnormalShift = 54;
  static constexpr double kTiny = 0x1p-60;
  static constexpr double kHuge = 0x1p100;
  static constexpr double kLog2E = 0x1.71547652b82fep+0;
  // 42 bits, so that the product with any k (11 bits) is exact.
  static constexpr double kLn2High = 0x1.62e42fefa3800p-1;
  static constexpr double kLn2Low = 0x1.ef35793c76730p-45;
  // Beyond these the results are inf and 0 (expm1: -1; tanh: 1).
  static constexpr double kExpHigh = 710.0;
  static constexpr double kExpLow = -746.0;
  static constexpr double kExpm1Low = -40.0;
  static constexpr double kTanhHigh = 20.0;
  static constexpr double kExp[] = {0.50000000000000106,   0.16666666666666412,   0.041666666666530121,
                                    0.0083333333334944601, 0.0013888888943639221, 0.00019841269506619734,
                                    2.4801493090095895e-5, 2.7557586314275404e-6, 2.7630251325826962e-7,
                                    2.5000085664877225e-8};
  static constexpr double kExpm1[] = {0.50000000000000000,   0.16666666666666677,   0.041666666666666509,
                                      0.0083333333333216878, 0.0013888888888962444, 0.00019841269885974272,
                                      2.4801587172401960e-5, 2.7557244366545846e-6, 2.7557402754497407e-7,
                                      2.5108981345095586e-8, 2.0875296655779675e-9};
  static constexpr double kLog[] = {0.66666666666667345, 0.39999999999414231, 0.28571428742491661, 0.22222198561983526,
                                    0.18183564936530202, 0.15314034206614238, 0.14796120489259471};
  static constexpr double kTanhTop[] = {-0.33333333333333333, -0.020498799708498873, -0.00019917804358612870};
  static constexpr double kTanhBottom[] = {1.0, 0.46149639912549314, 0.023291331876298859, 0.00020653373748750250};
};

template <>
struct MathConstants<float> {
  typedef std::uint32_t Word;
  static constexpr int kMantissaBits = 23;
  static constexpr Word kExponentBias = 127;
  static constexpr Word kSign = 0x80000000u;
  static constexpr Word kSqrtHalfBits = 0x3f3504f3u;
  static constexpr Word kIntegerBits = 0x4b000000u;
  static constexpr float kInteger = 0x1p23f;
  static constexpr float kRound = 0x1.8p23f;
  static constexpr float kMinNormal = 0x1p-126f;
  static constexpr float kSubnormalScale = 0x1p24f;
  static constexpr float kSubnormalShift = 24;
  static constexpr float kTiny = 0x1p-30f;
  static constexpr float kHuge = 0x1p60f;
  static constexpr float kLog2E = 0x1.715476p+0f;
  static constexpr float kLn2High = 0x1.62e4p-1f;  // 15 bits
  static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
  static constexpr float kExpHigh = 89.0f;
  static constexpr float kExpLow = -104.0f;
  static constexpr float kExpm1Low = -20.0f;
  static constexpr float kTanhHigh = 10.0f;
  static constexpr float kExp[] = {0.499999934f, 0.166665206f, 0.0416683894f, 0.00836872265f, 0.00138145341f};
  static constexpr float kExpm1[] = {0.500000004f,   0.166666664f,   0.0416663607f,
                                     0.00833338873f, 0.00139406375f, 0.000198462391f};
  static constexpr float kLog[] = {0.666666656f, 0.400003353f, 0.285372994f, 0.235823273f};
  static constexpr float kTanhTop[] = {-0.333333333f, -0.0147729932f};
  static constexpr float kTanhBottom[] = {1.0f, 0.444318975f, 0.0158228877f};
};

/// c[0] + c[1] x + ... + c[N-1] x^(N-1), even and odd powers apart: half the chain of dependent operations.
template <class T, int N>
MLCORE_INLINE Vec<T> polynomial(Vec<T> x, const T (&c)[N]) noexcept {
  constexpr int kLastEven = (N - 1) / 2 * 2;
  constexpr int kLastOdd = N / 2 * 2 - 1;
  const Vec<T> x2 = x * x;
  Vec<T> even = broadcast<T>(c[kLastEven]);
  for (int i = kLastEven - 2; i >= 0; i -= 2) even = even * x2 + c[i];
  if constexpr (N < 2) {
    return even;
  } else {
    Vec<T> odd = broadcast<T>(c[kLastOdd]);
    for (int i = kLastOdd - 2; i >= 1; i -= 2) odd = odd * x2 + c[i];
    return odd * x + even;
  }
}

template <class T>
MLCORE_INLINE Vec<T> at_most(Vec<T> x, T high) noexcept {  // NaN stays NaN
  return x > high ? broadcast<T>(high) : x;
}
template <class T>
MLCORE_INLINE Vec<T> at_least(Vec<T> x, T low) noexcept {
  return x < low ? broadcast<T>(low) : x;
}
template <class T>
MLCORE_INLINE Vec<T> absolute(Vec<T> x) noexcept {
  return from_bits<T>(bits_of<T>(x) & ~MathConstants<T>::kSign);
}

/// x = k log 2 + r + c with |r| <= log(2)/2, c the rounding error of r; t holds k + bias in its low bits.
template <class T>
struct ExpReduction {
  Vec<T> r;
  Vec<T> c;
  Bits<T> t;
};
template <class T>
MLCORE_INLINE ExpReduction<T> reduce_exp(Vec<T> x, typename MathConstants<T>::Word bias) noexcept {
  using C = MathConstants<T>;
  const T round = C::kRound + static_cast<T>(bias);
  const Vec<T> t = x * C::kLog2E + round;
  const Vec<T> k = t - round;
  const Vec<T> high = x - k * C::kLn2High;
  const Vec<T> r = high - k * C::kLn2Low;
  return {r, (high - r) - k * C::kLn2Low, bits_of<T>(t)};
}
/// 2^(j - bias of the type) for the integer j in the low bits of t.
template <class T>
MLCORE_INLINE Vec<T> power_of_two(Bits<T> t) noexcept {
  return from_bits<T>(t << MathConstants<T>::kMantissaBits);
}

/// e^x. Error <= 1.1 ULP; e^x = 2^k (1 + r + r^2 Q(r)). Multiplies by 2^k in two steps, so that results between the
/// largest power of two and overflow, and subnormal results (one rounding more), come out right.
template <class T>
MLCORE_INLINE Vec<T> exp(Vec<T> x) noexcept {
  using C = MathConstants<T>;
  const ExpReduction<T> e = reduce_exp<T>(at_least<T>(at_most<T>(x, C::kExpHigh), C::kExpLow), 2 * C::kExponentBias);
  const Vec<T> p = (e.r + e.r * e.r * polynomial<T>(e.r, C::kExp)) + T(1);
  const Bits<T> fields = e.t & (4 * C::kExponentBias + 3);
  const Bits<T> half = fields >> 1;
  return p * power_of_two<T>(half) * power_of_two<T>(fields - half);
}

/// e^x for terms of a sum whose largest term is about 1 (log-sum-exp, softmax): results below the smallest normal
/// number are 0, those above the largest power of two (x > 88.3, 709.4) inf. Error <= 1.1 ULP in between. A fifth
/// cheaper.
template <class T>
MLCORE_INLINE Vec<T> exp_flushed(Vec<T> x) noexcept {
  using C = MathConstants<T>;
  // Below -(bias - 1) log 2 the exponent field would run out.
  const T low = -static_cast<T>(C::kExponentBias - 1) * C::kLn2High;
  const ExpReduction<T> e = reduce_exp<T>(at_least<T>(at_most<T>(x, C::kExpHigh), low), C::kExponentBias);
  const Vec<T> p = (e.r + e.r * e.r * polynomial<T>(e.r, C::kExp)) + T(1);
  return x < low ? Vec<T>{} : p * power_of_two<T>(e.t);
}

/// e^x - 1. Error <= 1.5 ULP; with h = 2^(k-1): 2 [((h - 1/2) + h r) + h (r^2 Q(r) + c)], whose first bracket is exact
/// where terms cancel.
template <class T>
MLCORE_INLINE Vec<T> expm1(Vec<T> x) noexcept {
  using C = MathConstants<T>;
  const Vec<T> bounded = at_least<T>(at_most<T>(x, C::kExpHigh), C::kExpm1Low);
  const ExpReduction<T> e = reduce_exp<T>(bounded, C::kExponentBias - 1);
  const Vec<T> h = power_of_two<T>(e.t);
  const Vec<T> tail = e.r * e.r * polynomial<T>(e.r, C::kExpm1) + e.c;
  const Vec<T> result = (((h - T(0.5)) + h * e.r) + h * tail) * T(2);
  // x itself is the result when tiny; this also keeps -0 and the last bit of subnormals.
  return absolute<T>(x) < C::kTiny ? x : result;
}

/// k log 2 + log(1 + f) for sqrt(1/2) <= 1 + f < sqrt(2): with s = f / (2 + f), log(1 + f) = f - s (f - R(s^2)).
template <class T>
MLCORE_INLINE Vec<T> log_reduced(Vec<T> k, Vec<T> f) noexcept {
  using C = MathConstants<T>;
  const Vec<T> s = f / (f + T(2));
  const Vec<T> z = s * s;
  const Vec<T> r = z * polynomial<T>(z, C::kLog);
  return k * C::kLn2High + (f - (s * (f - r) - k * C::kLn2Low));
}

/// u = 2^k m with sqrt(1/2) <= m < sqrt(2), for positive normal u.
template <class T>
struct LogReduction {
  Vec<T> k;
  Vec<T> m;
  Bits<T> field;  ///< (k + bias) in the place of the exponent
};
template <class T>
MLCORE_INLINE LogReduction<T> reduce_log(Vec<T> u) noexcept {
  using C = MathConstants<T>;
  constexpr auto one = C::kExponentBias << C::kMantissaBits;
  const Bits<T> b = bits_of<T>(u);
  const Bits<T> biased = (b + (one - C::kSqrtHalfBits)) >> C::kMantissaBits;
  const Bits<T> field = biased << C::kMantissaBits;
  const Vec<T> k = from_bits<T>(biased | C::kIntegerBits) - (C::kInteger + static_cast<T>(C::kExponentBias));
  return {k, from_bits<T>(b - field + one), field};
}

/// log x. Error <= 1 ULP; log(0) = -inf, log(x < 0) = NaN.
template <class T>
MLCORE_INLINE Vec<T> log(Vec<T> x) noexcept {
  using C = MathConstants<T>;
  const auto subnormal = x < C::kMinNormal;
  const LogReduction<T> e = reduce_log<T>(subnormal ? x * C::kSubnormalScale : x);
  const Vec<T> k = subnormal ? e.k - C::kSubnormalShift : e.k;
  Vec<T> result = log_reduced<T>(k, e.m - T(1));
  result = x > T(0) ? result : (x == T(0) ? broadcast<T>(-__builtin_inf()) : broadcast<T>(__builtin_nan("")));
  return x == T(__builtin_inf()) ? x : result;
}

/// log(1 + x). Error <= 1.6 ULP; log1p(-1) = -inf, log1p(x < -1) = NaN, log1p(-0) = -0. 1 + x = u + c exactly (TwoSum),
/// and f = (m - 1) + c 2^-k takes c along: for u near 1 (k = 0) f is x itself.
template <class T>
MLCORE_INLINE Vec<T> log1p(Vec<T> x) noexcept {
  using C = MathConstants<T>;
  const Vec<T> u = x + T(1);
  const Vec<T> most = u - T(1);
  const Vec<T> c = (T(1) - (u - most)) + (x - most);
  const LogReduction<T> e = reduce_log<T>(u);
  const Vec<T> shrink = from_bits<T>((2 * C::kExponentBias << C::kMantissaBits) - e.field);
  const Vec<T> correction = x > C::kHuge ? Vec<T>{} : c * shrink;
  Vec<T> result = log_reduced<T>(e.k, (e.m - T(1)) + correction);
  result = x > T(-1) ? result : (x == T(-1) ? broadcast<T>(-__builtin_inf()) : broadcast<T>(__builtin_nan("")));
  return (x == T(0)) | (x == T(__builtin_inf())) ? x : result;
}

/// tanh x. Error <= 1.5 ULP; |x| < 0.625: x + x^3 P(x^2)/Q(x^2), else 1 - 2/(e^(2|x|) + 1); odd by construction. One
/// division serves both.
template <class T>
MLCORE_INLINE Vec<T> tanh(Vec<T> x) noexcept {
  using C = MathConstants<T>;
  const Vec<T> a = at_most<T>(absolute<T>(x), C::kTanhHigh);
  const ExpReduction<T> e = reduce_exp<T>(a + a, C::kExponentBias);
  const Vec<T> p = (e.r + e.r * e.r * polynomial<T>(e.r, C::kExp)) + T(1);
  const Vec<T> z = a * a;
  const auto small = a < T(0.625);
  const Vec<T> top = small ? a * z * polynomial<T>(z, C::kTanhTop) : broadcast<T>(-2);
  const Vec<T> bottom = small ? polynomial<T>(z, C::kTanhBottom) : p * power_of_two<T>(e.t) + T(1);
  const Vec<T> result = (small ? a : broadcast<T>(1)) + top / bottom;
  return from_bits<T>(bits_of<T>(result) | (bits_of<T>(x) & C::kSign));
}

/// 1 / (1 + e^-x). Error <= 1.6 ULP. With z = e^-|x| = 2^k p <= 1 the result is 1/(1 + z) for x >= 0 and 2^k p/(1 + z)
/// for x < 0, where results below the smallest normal number keep their precision. The roundings of p and 1 + z are
/// carried along (FastTwoSum) and put back after the division; without that the error would reach 2.5 ULP.
template <class T>
MLCORE_INLINE Vec<T> sigmoid(Vec<T> x) noexcept {
  using C = MathConstants<T>;
  const Vec<T> minus_a = at_least<T>(from_bits<T>(bits_of<T>(x) | C::kSign), C::kExpLow);
  const ExpReduction<T> e = reduce_exp<T>(minus_a, 2 * C::kExponentBias);
  const Vec<T> q = e.r + e.r * e.r * polynomial<T>(e.r, C::kExp);
  const Vec<T> p = q + T(1);
  const Vec<T> p_low = q - (p - T(1));
  const Bits<T> fields = e.t & (4 * C::kExponentBias + 3);
  const Bits<T> half = fields >> 1;
  const Vec<T> s1 = power_of_two<T>(half), s2 = power_of_two<T>(fields - half);
  const Vec<T> z = p * s1 * s2;
  const Vec<T> d = z + T(1);
  const Vec<T> d_low = z - (d - T(1));
  const auto negative = x < T(0);
  const Vec<T> numerator = negative ? p : broadcast<T>(1);
  const Vec<T> quotient = numerator / d;
  const Vec<T> lost = (negative ? p_low : Vec<T>{}) - quotient * d_low;
  // 1/d to 6 % on [1, 2] is enough for a correction below one unit.
  const Vec<T> result = quotient + lost * (d * T(-8.0 / 17) + T(24.0 / 17));
  return negative ? result * s1 * s2 : result;
}

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
