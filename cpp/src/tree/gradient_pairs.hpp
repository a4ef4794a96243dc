// How the gradient pair of a row travels through a histogram: one 64-bit integer
//
//   pair = 1 << count_shift  +  q_g << gradient_shift  +  q_h        (q_h has the low bits, q_g is signed)
//
// so that one addition adds up count, gradient and Hessian. q = g * scale, rounded up with probability of its
// fraction (or to the nearest integer where the grid is fine enough), is an integer: sums have no order.
//
// No field overflows. A packed histogram takes at most block_rows = 2^(64 - count_shift) - 1 rows before it is spilled
// into 64-bit integers. Let S bound the sum of |g| over any block_rows rows: S = min(sum over all rows, block_rows *
// max |g|). Rounding adds less than 1 a row, so |sum q_g| < scale * S + block_rows, which the scale (2^(bits - 1) - 1 -
// block_rows) / S keeps below 2^(bits - 1); the same without the sign for q_h.
#pragma once
#include <cstdint>

#include "mlcore/base/types.hpp"

namespace mlcore::tree {

struct PairLayout {
  int gradient_shift = 0;  ///< bits of the Hessian; 0: constant Hessians are not carried
  int gradient_bits = 0;
  int count_shift = 0;
  Index block_rows = 0;
};

}  // namespace mlcore::tree
