// Emission densities and their sufficient statistics, sequences in the lanes.
//
// Gaussian densities are matrix products with the Cholesky factor of the precision: y = L'(x - mu) as x L - mu L, then
// |y|^2. Four time steps at a time share each coefficient, which is broadcast from memory. X is centred first, so that
// x L - mu L loses nothing when the data lie far from the origin.
#include "hmm/density.kernels.hpp"
#include "mlcore/num/vector_math.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using hmm::kGroup;
using V = Vec<double>;
constexpr int kPart = kLanes<double>;

bool center(double* x, Index d, Index steps, const double* center) noexcept {
  auto nan = V{} != V{};
  for (Index t = 0; t < steps; ++t)
    for (Index f = 0; f < d; ++f)
      for (Index p = 0; p < kGroup; p += kPart) {
        double* at = x + (t * d + f) * kGroup + p;
        const V value = load(at) - broadcast(center[f]);
        nan |= value != value;
        store(at, value);
      }
  std::int64_t any = 0;
  for (int l = 0; l < kPart; ++l) any |= static_cast<std::int64_t>(nan[l]);
  return any != 0;
}

template <int kSteps, bool kObserved>
MLCORE_INLINE void squares_steps(const double* x, Index d, const double* factor, const double* offset,
                                 const double* log_factor, const double* constant, Index states, double* out) noexcept {
  for (Index j = 0; j < states; ++j) {
    V sum[kSteps], back[kSteps];
#pragma GCC unroll 4
    for (int t = 0; t < kSteps; ++t) sum[t] = back[t] = V{};
    for (Index f = 0; f < d; ++f) {
      const double scale = factor[j * d + f], move = offset[j * d + f];
#pragma GCC unroll 4
      for (int t = 0; t < kSteps; ++t) {
        const V value = load(x + (t * d + f) * kGroup);
        V y = value * scale + move;
        if constexpr (kObserved) {
          const auto missing = value != value;
          y = missing ? V{} : y;
          back[t] += missing ? broadcast(log_factor[j * d + f]) : V{};
        }
        sum[t] += y * y;
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < kSteps; ++t) {
      V value = constant[j] - 0.5 * sum[t];
      if constexpr (kObserved) value -= back[t];
      store(out + (t * states + j) * kGroup, value);
    }
  }
}

template <bool kObserved>
MLCORE_INLINE void squares_of(const double* x, Index d, Index steps, const double* factor, const double* offset,
                              const double* log_factor, const double* constant, Index states, double* out) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    Index t = 0;
    for (; t + 4 <= steps; t += 4)
      squares_steps<4, kObserved>(x + t * d * kGroup + p, d, factor, offset, log_factor, constant, states,
                                  out + t * states * kGroup + p);
    for (; t < steps; ++t)
      squares_steps<1, kObserved>(x + t * d * kGroup + p, d, factor, offset, log_factor, constant, states,
                                  out + t * states * kGroup + p);
  }
}
void squares(const double* x, Index d, Index steps, const double* factor, const double* offset, const double* constant,
             Index states, double* out) noexcept {
  squares_of<false>(x, d, steps, factor, offset, nullptr, constant, states, out);
}
void squares_observed(const double* x, Index d, Index steps, const double* factor, const double* offset,
                      const double* log_factor, const double* constant, Index states, double* out) noexcept {
  squares_of<true>(x, d, steps, factor, offset, log_factor, constant, states, out);
}

template <int kSteps>
MLCORE_INLINE void triangular_steps(const double* x, Index d, const double* lower, const double* offset,
                                    const double* constant, Index states, double* out) noexcept {
  for (Index j = 0; j < states; ++j) {
    V sum[kSteps];
#pragma GCC unroll 4
    for (int t = 0; t < kSteps; ++t) sum[t] = V{};
    for (Index f = 0; f < d; ++f) {
      V y[kSteps];
#pragma GCC unroll 4
      for (int t = 0; t < kSteps; ++t) y[t] = broadcast(offset[j * d + f]);
      for (Index g = 0; g <= f; ++g) {
        const double scale = *lower++;
#pragma GCC unroll 4
        for (int t = 0; t < kSteps; ++t) y[t] += load(x + (t * d + g) * kGroup) * scale;
      }
#pragma GCC unroll 4
      for (int t = 0; t < kSteps; ++t) sum[t] += y[t] * y[t];
    }
#pragma GCC unroll 4
    for (int t = 0; t < kSteps; ++t) store(out + (t * states + j) * kGroup, constant[j] - 0.5 * sum[t]);
  }
}
void triangular(const double* x, Index d, Index steps, const double* lower, const double* offset,
                const double* constant, Index states, double* out) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    Index t = 0;
    for (; t + 4 <= steps; t += 4)
      triangular_steps<4>(x + t * d * kGroup + p, d, lower, offset, constant, states, out + t * states * kGroup + p);
    for (; t < steps; ++t)
      triangular_steps<1>(x + t * d * kGroup + p, d, lower, offset, constant, states, out + t * states * kGroup + p);
  }
}

void whiten(const double* x, Index d, Index steps, const double* lower, double* y) noexcept {
  for (Index t = 0; t < steps; ++t)
    for (Index p = 0; p < kGroup; p += kPart) {
      const double* l = lower;
      for (Index f = 0; f < d; ++f) {
        V sum{};
        for (Index g = 0; g <= f; ++g) sum += load(x + (t * d + g) * kGroup + p) * *l++;
        store(y + (t * d + f) * kGroup + p, sum);
      }
    }
}

template <int kSteps>
MLCORE_INLINE void linear_steps(const double* x, Index d, const double* factor, const double* constant, Index states,
                                double* out) noexcept {
  for (Index j = 0; j < states; ++j) {
    V sum[kSteps];
#pragma GCC unroll 4
    for (int t = 0; t < kSteps; ++t) sum[t] = broadcast(constant[j]);
    for (Index f = 0; f < d; ++f) {
      const double scale = factor[j * d + f];
#pragma GCC unroll 4
      for (int t = 0; t < kSteps; ++t) sum[t] += load(x + (t * d + f) * kGroup) * scale;
    }
#pragma GCC unroll 4
    for (int t = 0; t < kSteps; ++t) store(out + (t * states + j) * kGroup, sum[t]);
  }
}
void linear(const double* x, Index d, Index steps, const double* factor, const double* constant, Index states,
            double* out) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    Index t = 0;
    for (; t + 4 <= steps; t += 4)
      linear_steps<4>(x + t * d * kGroup + p, d, factor, constant, states, out + t * states * kGroup + p);
    for (; t < steps; ++t)
      linear_steps<1>(x + t * d * kGroup + p, d, factor, constant, states, out + t * states * kGroup + p);
  }
}

void split_missing(double* x, Index d, Index steps, double* missing) noexcept {
  for (Index q = 0; q < steps * d * kGroup; q += kPart) {
    const V value = load(x + q);
    const auto absent = value != value;
    store(x + q, absent ? V{} : value);
    store(missing + q, absent ? broadcast(1.0) : V{});
  }
}

void features(const double* x, Index d, Index steps, int order, double* out) noexcept {
  for (Index t = 0; t < steps; ++t, x += d * kGroup) {
    for (Index p = 0; p < kGroup; p += kPart) store(out + p, broadcast(1.0));
    out += kGroup;
    for (Index q = 0; q < d * kGroup; q += kPart) store(out + q, load(x + q));
    out += d * kGroup;
    if (order == 1) {
      for (Index q = 0; q < d * kGroup; q += kPart) {
        const V value = load(x + q);
        store(out + q, value * value);
      }
      out += d * kGroup;
    } else if (order == 2) {
      for (Index f = 0; f < d; ++f)
        for (Index g = 0; g <= f; ++g, out += kGroup)
          for (Index p = 0; p < kGroup; p += kPart) store(out + p, load(x + f * kGroup + p) * load(x + g * kGroup + p));
    }
  }
}

void exponentiate(double* l, Index states, Index steps, const double* valid, double* shift) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    const V count = load(valid + p);
    for (Index t = 0; t < steps; ++t) {
      double* at = l + t * states * kGroup + p;
      const auto counts = broadcast(static_cast<double>(t)) < count;
      V most = load(at);
      for (Index j = 1; j < states; ++j) {
        const V value = load(at + j * kGroup);
        most = value > most ? value : most;
      }
      most = counts & (most > -__builtin_inf()) ? most : V{};
      store(shift + t * kGroup + p, most);
      for (Index j = 0; j < states; ++j) {
        const V e = exp_flushed<double>(load(at + j * kGroup) - most);
        store(at + j * kGroup, counts ? e : V{});
      }
    }
  }
}

void add_parts(const double* c, Index states, Index parts, Index steps, double* b) noexcept {
  for (Index q = 0; q < steps * states; ++q, c += parts * kGroup, b += kGroup)
    for (Index p = 0; p < kGroup; p += kPart) {
      V sum = load(c + p);
      for (Index m = 1; m < parts; ++m) sum += load(c + m * kGroup + p);
      store(b + p, sum);
    }
}

void to_logs(double* b, const double* shift, Index planes) noexcept {
  for (Index q = 0; q < planes * kGroup; q += kPart) store(b + q, log<double>(load(b + q)) + load(shift + q));
}

void share(double* c, const double* b, const double* g, Index states, Index parts, Index steps) noexcept {
  for (Index q = 0; q < steps * states; ++q, c += parts * kGroup, b += kGroup, g += kGroup)
    for (Index p = 0; p < kGroup; p += kPart) {
      const V total = load(b + p);
      const V ratio = total > 0.0 ? load(g + p) / total : V{};
      for (Index m = 0; m < parts; ++m) store(c + m * kGroup + p, load(c + m * kGroup + p) * ratio);
    }
}

constexpr hmm::DensityKernels kTable{center,        squares,  squares_observed, triangular, whiten,  linear,
                                     split_missing, features, exponentiate,     add_parts,  to_logs, share};

}  // namespace

const hmm::DensityKernels& hmm_density_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
