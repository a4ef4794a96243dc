#include "mlcore/runtime/random.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

#include "mlcore/base/errors.hpp"

namespace mlcore::runtime::random {

namespace {

// c[0] + c[1] x + ... + c[N-1] x^(N-1)
template <std::size_t N>
double horner(double x, const double (&c)[N]) noexcept {
  double value = c[N - 1];
  for (std::size_t i = N - 1; i-- > 0;) value = value * x + c[i];
  return value;
}

}  // namespace

// x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m - 1)/(m + 1), |s| <= 0.1716: eleven terms of the
// series leave a remainder below 2^-58.
double portable_log(double x) noexcept {
  constexpr double kLn2High = 0x1.62e42fee00000p-1;  // 33 bits, so that k * kLn2High is exact
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdu;
  const std::int64_t k = static_cast<std::int64_t>(bits - kSqrtHalf) >> 52;
  const double m = std::bit_cast<double>(bits - (static_cast<std::uint64_t>(k) << 52));
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  constexpr double kSeries[] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11,
                                1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
  const double s2 = s * s;
  const double tail = 2.0 * s2 * horner(s2, kSeries);  // log m = s (2 + tail), and 2 s = f - s f
  const auto exponent = static_cast<double>(k);
  return exponent * kLn2High + (f - (s * (f - tail) - exponent * kLn2Low));
}

double normal_quantile(double p) noexcept {
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    constexpr double kA[] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                             1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                             3.3430575583588128105e+4, 2.5090809287301226727e+3};
    constexpr double kB[] = {1.0,
                             4.2313330701600911252e+1,
                             6.8718700749205790830e+2,
                             5.3941960214247511077e+3,
                             2.1213794301586595867e+4,
                             3.9307895800092710610e+4,
                             2.8729085735721942674e+4,
                             5.2264952788528545610e+3};
    const double r = 0.180625 - q * q;
    return q * horner(r, kA) / horner(r, kB);
  }
  const double tail = q < 0 ? p : 1.0 - p;
  double r = std::sqrt(-portable_log(tail));
  double z;
  if (r <= 5.0) {
    constexpr double kC[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                             3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                             2.27238449892691845833e-2, 7.74545014278341407640e-4};
    constexpr double kD[] = {1.0,
                             2.05319162663775882187e0,
                             1.67638483018380384940e0,
                             6.89767334985100004550e-1,
                             1.48103976427480074590e-1,
                             1.51986665636164571966e-2,
                             5.47593808499534494600e-4,
                             1.05075007164441684324e-9};
    r -= 1.6;
    z = horner(r, kC) / horner(r, kD);
  } else {
    constexpr double kE[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                             2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                             2.71155556874348757815e-5, 2.01033439929228813265e-7};
    constexpr double kF[] = {1.0,
                             5.99832206555887937690e-1,
                             1.36929880922735805310e-1,
                             1.48753612908506148525e-2,
                             7.86869131145613259100e-4,
                             1.84631831751005468180e-5,
                             1.42151175831644588870e-7,
                             2.04426310338993978564e-15};
    r -= 5.0;
    z = horner(r, kE) / horner(r, kF);
  }
  return q < 0 ? -z : z;
}

Buffer<Index> permutation(Stream& stream, Index n) {
  Buffer<Index> order(n);
  for (Index i = 0; i < n; ++i) order[i] = i;
  stream.shuffle(order.data(), n);
  return order;
}

Buffer<Index> sample_without_replacement(Stream& stream, Index n, Index count) {
  require(count >= 0 && count <= n, "sample size must lie between 0 and the population size");
  Buffer<Index> chosen(count);
  // Position i swaps with a random position of [i, n). Either the whole permutation is stored, or, for a small sample
  // of a large population, only the positions that no longer hold their own number.
  if (count > n / 16) {
    Buffer<Index> order(n);
    for (Index i = 0; i < n; ++i) order[i] = i;
    for (Index i = 0; i < count; ++i) {
      const Index j = i + stream.index(n - i);
      std::swap(order[i], order[j]);
      chosen[i] = order[i];
    }
  } else {
    std::unordered_map<Index, Index> moved;
    moved.reserve(static_cast<std::size_t>(count));
    const auto at = [&](Index i) {
      const auto found = moved.find(i);
      return found == moved.end() ? i : found->second;
    };
    for (Index i = 0; i < count; ++i) {
      const Index j = i + stream.index(n - i);
      chosen[i] = at(j);
      if (j != i) moved[j] = at(i);
    }
  }
  return chosen;
}

Index search_cumulative(const double* cumulative, Index n, double target) noexcept {
  return std::upper_bound(cumulative, cumulative + n, target) - cumulative;
}

template <class T>
WeightedChoice::WeightedChoice(VectorView<const T> weights) {
  cumulative_.resize(static_cast<std::size_t>(weights.size));
  double sum = 0.0;
  for (Index i = 0; i < weights.size; ++i) {
    const auto weight = static_cast<double>(weights[i]);
    require(weight >= 0.0 && std::isfinite(weight), "weights must be finite and not negative");
    sum += weight;
    cumulative_[static_cast<std::size_t>(i)] = sum;
  }
  require(sum > 0.0 && std::isfinite(sum), "weights must have a positive, finite sum");
}

template WeightedChoice::WeightedChoice(VectorView<const float>);
template WeightedChoice::WeightedChoice(VectorView<const double>);

Index WeightedChoice::operator()(Stream& stream) const noexcept {
  const auto n = static_cast<Index>(cumulative_.size());
  // The product may round up to the total: the draw then belongs to the last step of the cumulative sum.
  const double target = std::min(stream.uniform() * total(), std::nextafter(total(), 0.0));
  return search_cumulative(cumulative_.data(), n, target);
}

}  // namespace mlcore::runtime::random
