// Sums over rows and coordinates in float64, for kernel files.
#pragma once
#include "mlcore/num/simd.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

template <class T>
void add_row(const T* x, Index stride, Index d, double weight, double* sum) noexcept {
  if (stride == 1) {
#pragma omp simd
    for (Index j = 0; j < d; ++j) sum[j] += weight * static_cast<double>(x[j]);
  } else {
    for (Index j = 0; j < d; ++j) sum[j] += weight * static_cast<double>(x[j * stride]);
  }
}

template <class T>
void add_moments(const T* x, Index stride, Index d, const double* shift, double* sum, double* square) noexcept {
  if (stride == 1) {
#pragma omp simd
    for (Index j = 0; j < d; ++j) {
      const double v = static_cast<double>(x[j]) - shift[j];
      sum[j] += v;
      square[j] += v * v;
    }
  } else {
    for (Index j = 0; j < d; ++j) {
      const double v = static_cast<double>(x[j * stride]) - shift[j];
      sum[j] += v;
      square[j] += v * v;
    }
  }
}

template <class T>
double squared_distance(const T* x, Index stride, const T* c, Index d) noexcept {
  constexpr Index kStep = 4 * kVectorBytes / 8;  // four independent accumulators
  double sums[kStep] = {};
  Index j = 0;
  if (stride == 1) {
    for (; j + kStep <= d; j += kStep) {
#pragma omp simd
      for (Index l = 0; l < kStep; ++l) {
        const double difference = static_cast<double>(x[j + l]) - static_cast<double>(c[j + l]);
        sums[l] += difference * difference;
      }
    }
  }
  double total = 0;
  for (; j < d; ++j) {
    const double difference = static_cast<double>(x[j * stride]) - static_cast<double>(c[j]);
    total += difference * difference;
  }
  for (Index l = 0; l < kStep; ++l) total += sums[l];
  return total;
}

template <class T>
void add_gains(const T* distances, Index stride, const T* current, const T* weights, Index count, Index trials,
               double* gains) noexcept {
  for (Index t = 0; t < trials; ++t, distances += stride) {
    double total = 0;
    if (weights == nullptr) {
#pragma omp simd reduction(+ : total)
      for (Index p = 0; p < count; ++p) {
        const T saved = current[p] - distances[p];
        total += static_cast<double>(saved > T(0) ? saved : T(0));
      }
    } else {
#pragma omp simd reduction(+ : total)
      for (Index p = 0; p < count; ++p) {
        const T saved = current[p] - distances[p];
        total += static_cast<double>(weights[p]) * static_cast<double>(saved > T(0) ? saved : T(0));
      }
    }
    gains[t] += total;
  }
}

}  // namespace
}  // namespace mlcore::MLCORE_ISA_NAMESPACE
