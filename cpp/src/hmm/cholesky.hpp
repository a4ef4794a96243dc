// Factors of small covariance matrices, packed by rows: element (f, g <= f) at f (f + 1) / 2 + g.
#pragma once
#include <cmath>

#include "mlcore/base/types.hpp"

namespace mlcore::hmm {

inline constexpr Index packed_size(Index d) noexcept { return d * (d + 1) / 2; }
inline constexpr Index packed_row(Index f) noexcept { return f * (f + 1) / 2; }

/// Lower factor L of the matrix element(f, g) = (L L')_fg; false where it is not positive definite.
template <class Element>
bool packed_cholesky(Index d, Element&& element, double* lower) noexcept {
  for (Index f = 0; f < d; ++f) {
    double* row = lower + packed_row(f);
    for (Index g = 0; g <= f; ++g) {
      const double* other = lower + packed_row(g);
      double sum = element(f, g);
      for (Index h = 0; h < g; ++h) sum -= row[h] * other[h];
      if (g < f) {
        row[g] = sum / other[g];
      } else {
        if (!(sum > 0)) return false;
        row[f] = std::sqrt(sum);
      }
    }
  }
  return true;
}

/// In place L -> inv(L).
inline void packed_inverse(Index d, double* lower) noexcept {
  for (Index g = 0; g < d; ++g) {
    lower[packed_row(g) + g] = 1.0 / lower[packed_row(g) + g];
    for (Index f = g + 1; f < d; ++f) {
      double sum = 0;
      for (Index h = g; h < f; ++h) sum += lower[packed_row(f) + h] * lower[packed_row(h) + g];
      lower[packed_row(f) + g] = -sum / lower[packed_row(f) + f];
    }
  }
}

}  // namespace mlcore::hmm
