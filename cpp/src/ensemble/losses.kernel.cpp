// One formula a loss, on vectors of rows; blocks are padded so that no row's bits depend on its place.
#include "ensemble/losses.kernels.hpp"
#include "mlcore/num/vector_math.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using ensemble::kLossRows;
using Real = Vec<double>;
constexpr int kLane = kLanes<double>;

struct Derivatives {
  Real g, h;
};

MLCORE_INLINE Real one() noexcept { return broadcast<double>(1.0); }

struct Squared {
  static MLCORE_INLINE Derivatives at(Real y, Real f, double) noexcept { return {f - y, one()}; }
  static MLCORE_INLINE Real value(Real y, Real f, double) noexcept { return 0.5 * (y - f) * (y - f); }
};
struct Absolute {
  static MLCORE_INLINE Derivatives at(Real y, Real f, double) noexcept { return {f > y ? one() : -one(), one()}; }
  static MLCORE_INLINE Real value(Real y, Real f, double) noexcept { return absolute<double>(y - f); }
};
struct Huber {
  static MLCORE_INLINE Derivatives at(Real y, Real f, double a) noexcept {
    return {at_least<double>(at_most<double>(f - y, a), -a), one()};
  }
  static MLCORE_INLINE Real value(Real y, Real f, double a) noexcept {
    const Real r = absolute<double>(y - f);
    return r <= a ? 0.5 * r * r : a * (r - 0.5 * a);
  }
};
struct Quantile {
  static MLCORE_INLINE Derivatives at(Real y, Real f, double a) noexcept {
    return {y >= f ? broadcast<double>(-a) : broadcast<double>(1.0 - a), one()};
  }
  static MLCORE_INLINE Real value(Real y, Real f, double a) noexcept {
    const Real r = y - f;
    return r >= 0.0 ? a * r : (a - 1.0) * r;
  }
};
struct Expectile {
  static MLCORE_INLINE Real share(Real y, Real f, double a) noexcept {
    return y >= f ? broadcast<double>(a) : broadcast<double>(1.0 - a);
  }
  static MLCORE_INLINE Derivatives at(Real y, Real f, double a) noexcept {
    const Real w = 2.0 * share(y, f, a);
    return {w * (f - y), w};
  }
  static MLCORE_INLINE Real value(Real y, Real f, double a) noexcept { return share(y, f, a) * (y - f) * (y - f); }
};
struct Poisson {
  static MLCORE_INLINE Derivatives at(Real y, Real f, double) noexcept {
    const Real e = exp<double>(f);
    return {e - y, e};
  }
  static MLCORE_INLINE Real value(Real y, Real f, double) noexcept { return exp<double>(f) - y * f; }
};
struct Gamma {
  static MLCORE_INLINE Derivatives at(Real y, Real f, double) noexcept {
    const Real e = y * exp<double>(-f);
    return {1.0 - e, e};
  }
  static MLCORE_INLINE Real value(Real y, Real f, double) noexcept { return f + y * exp<double>(-f); }
};
struct Tweedie {
  static MLCORE_INLINE Derivatives at(Real y, Real f, double p) noexcept {
    const Real a = exp<double>((2.0 - p) * f), b = y * exp<double>((1.0 - p) * f);
    return {a - b, (2.0 - p) * a - (1.0 - p) * b};
  }
  static MLCORE_INLINE Real value(Real y, Real f, double p) noexcept {
    return exp<double>((2.0 - p) * f) / (2.0 - p) - y * exp<double>((1.0 - p) * f) / (1.0 - p);
  }
};
struct LogLoss {
  // e = e^-|f| keeps both p and 1 - p to full relative precision.
  static MLCORE_INLINE Derivatives at(Real y, Real f, double) noexcept {
    const Real e = exp_flushed<double>(-absolute<double>(f));
    const Real large = 1.0 / (1.0 + e), small = e * large;
    const Real p = f >= 0.0 ? large : small, q = f >= 0.0 ? small : large;
    return {(1.0 - y) * p - y * q, p * q};
  }
  static MLCORE_INLINE Real value(Real y, Real f, double) noexcept {
    const Real positive = f > 0.0 ? f : Real{};
    return log1p<double>(exp_flushed<double>(-absolute<double>(f))) + positive - y * f;
  }
};

struct Padded {
  double value[kLossRows + kLane];
  MLCORE_INLINE void take(const double* from, Index n, double filler) noexcept {
    for (Index i = 0; i < n; ++i) value[i] = from[i];
    for (Index i = n; i < n + kLane && i < kLossRows + kLane; ++i) value[i] = filler;
  }
};

template <class L>
void gradients(double parameter, const double* y, const double* raw, const double* w, Index n, float* __restrict g,
               float* __restrict h) noexcept {
  Padded py, pf;
  py.take(y, n, 0.0);
  pf.take(raw, n, 0.0);
  double gs[kLossRows + kLane], hs[kLossRows + kLane];
  for (Index i = 0; i < n; i += kLane) {
    const Derivatives d = L::at(load(py.value + i), load(pf.value + i), parameter);
    store<double>(gs + i, d.g);
    store<double>(hs + i, d.h);
  }
  if (w != nullptr)
    for (Index i = 0; i < n; ++i) {
      gs[i] *= w[i];
      hs[i] *= w[i];
    }
  for (Index i = 0; i < n; ++i) g[i] = static_cast<float>(gs[i]);
  if (h != nullptr)
    for (Index i = 0; i < n; ++i) h[i] = static_cast<float>(hs[i]);
}

// Eight partial sums by place: the same order at every level.
double weighted_sum(const double* values, const double* w, Index n) noexcept {
  double sums[8] = {};
  Index i = 0;
  for (; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; ++j) sums[j] += w != nullptr ? w[i + j] * values[i + j] : values[i + j];
  for (int j = 0; i < n; ++i, ++j) sums[j] += w != nullptr ? w[i] * values[i] : values[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

template <class L>
double value(double parameter, const double* y, const double* raw, const double* w, Index n) noexcept {
  Padded py, pf;
  py.take(y, n, 0.0);
  pf.take(raw, n, 0.0);
  double values[kLossRows + kLane];
  for (Index i = 0; i < n; i += kLane)
    store<double>(values + i, L::value(load(py.value + i), load(pf.value + i), parameter));
  return weighted_sum(values, w, n);
}

// Largest output of every row, then the sum of e^(f_k - largest); `each` sees the terms of output k.
template <class Each>
MLCORE_INLINE void sum_of_exponentials(Index outputs, const double* raw, Index stride, Index n, double* largest,
                                       double* sums, Each&& each) noexcept {
  for (Index i = 0; i < n; ++i) largest[i] = raw[i];
  for (Index k = 1; k < outputs; ++k)
    for (Index i = 0; i < n; ++i) largest[i] = largest[i] < raw[k * stride + i] ? raw[k * stride + i] : largest[i];
  for (Index i = 0; i < n + kLane; ++i) sums[i] = 0.0;
  for (Index i = n; i < n + kLane; ++i) largest[i] = 0.0;
  for (Index k = 0; k < outputs; ++k) {
    Padded term;
    term.take(raw + k * stride, n, 0.0);
    for (Index i = 0; i < n; i += kLane) {
      const Real e = exp_flushed<double>(load(term.value + i) - load(largest + i));
      store<double>(term.value + i, e);
      store<double>(sums + i, load(sums + i) + e);
    }
    each(k, term.value);
  }
}

void softmax_gradients(Index outputs, const double* y, const double* raw, Index raw_stride, const double* w, Index n,
                       float* g, Index g_stride, float* h, Index h_stride) noexcept {
  double largest[kLossRows + kLane], sums[kLossRows + kLane];
  sum_of_exponentials(outputs, raw, raw_stride, n, largest, sums, [&](Index k, const double* terms) {
    for (Index i = 0; i < n; ++i) g[k * g_stride + i] = static_cast<float>(terms[i]);
  });
  for (Index i = 0; i < n; ++i) sums[i] = 1.0 / sums[i];
  for (Index k = 0; k < outputs; ++k)
    for (Index i = 0; i < n; ++i) {
      const double p = static_cast<double>(g[k * g_stride + i]) * sums[i];
      const double weight = w != nullptr ? w[i] : 1.0;
      const double target = y[i] == static_cast<double>(k) ? 1.0 : 0.0;
      g[k * g_stride + i] = static_cast<float>((p - target) * weight);
      h[k * h_stride + i] = static_cast<float>(p * (1.0 - p) * weight);
    }
}

double softmax_value(Index outputs, const double* y, const double* raw, Index raw_stride, const double* w,
                     Index n) noexcept {
  double largest[kLossRows + kLane], sums[kLossRows + kLane];
  sum_of_exponentials(outputs, raw, raw_stride, n, largest, sums, [](Index, const double*) {});
  for (Index i = n; i < n + kLane; ++i) sums[i] = 1.0;
  for (Index i = 0; i < n; i += kLane) store<double>(sums + i, log<double>(load(sums + i)));
  for (Index i = 0; i < n; ++i) {
    const double k = y[i] >= 0.0 && y[i] < static_cast<double>(outputs) ? y[i] : 0.0;
    sums[i] += largest[i] - raw[static_cast<Index>(k) * raw_stride + i];
  }
  return weighted_sum(sums, w, n);
}

const ensemble::LossKernels kKernels = {
    {gradients<Squared>, gradients<Absolute>, gradients<Huber>, gradients<Quantile>, gradients<Expectile>,
     gradients<Poisson>, gradients<Gamma>, gradients<Tweedie>, gradients<LogLoss>},
    {value<Squared>, value<Absolute>, value<Huber>, value<Quantile>, value<Expectile>, value<Poisson>, value<Gamma>,
     value<Tweedie>, value<LogLoss>},
    softmax_gradients,
    softmax_value};

}  // namespace

const ensemble::LossKernels& loss_kernels() noexcept { return kKernels; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
