// Rows go down in groups, one level at a time: their loads do not wait for each other. A leaf is its own child, so the
// group needs no branch; it stops when nobody has moved.
#include <type_traits>

#include "mlcore/num/simd.hpp"
#include "tree/forest.kernels.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using tree::PackedNode;
using tree::WalkedRows;

constexpr int kGroup = 8;

template <bool kCategorical, class T>
MLCORE_INLINE std::int32_t child_of(const PackedNode<T>& node, const T* x, Index column_stride,
                                    const std::uint32_t* bitsets) noexcept {
  const T v = x[node.feature * column_stride];
  bool missing;
  if constexpr (std::is_same_v<T, std::uint8_t>)
    missing = v == node.missing;
  else
    missing = !(v == v);
  bool left = v <= node.threshold;
  if constexpr (kCategorical) {
    if (node.bitset >= 0) {
      bool known;
      if constexpr (std::is_same_v<T, std::uint8_t>)
        known = !missing;
      else
        known = v >= T(0) && v < static_cast<T>(node.missing);
      const int code = known ? static_cast<int>(v) : 0;
      left = ((bitsets[8 * node.bitset + (code >> 5)] >> (code & 31)) & 1) != 0;
      missing = !known;
    }
  }
  left = missing ? node.missing_left != 0 : left;
  return left ? node.left : node.right;
}

template <bool kCategorical, class T>
void walk_rows(const WalkedRows<T>& rows, const PackedNode<T>* nodes, std::int32_t root, const std::uint32_t* bitsets,
               std::int32_t* leaves) noexcept {
  Index i = 0;
  for (; i + kGroup <= rows.count; i += kGroup) {
    std::int32_t at[kGroup];
    const T* x[kGroup];
    for (int r = 0; r < kGroup; ++r) {
      at[r] = root;
      x[r] = rows.x + (i + r) * rows.row_stride;
    }
    for (;;) {
      std::int32_t moved = 0;
#pragma GCC unroll 8
      for (int r = 0; r < kGroup; ++r) {
        const std::int32_t next = child_of<kCategorical>(nodes[at[r]], x[r], rows.column_stride, bitsets);
        moved |= next ^ at[r];
        at[r] = next;
      }
      if (moved == 0) break;
    }
    for (int r = 0; r < kGroup; ++r) leaves[i + r] = at[r];
  }
  for (; i < rows.count; ++i) {
    const T* x = rows.x + i * rows.row_stride;
    std::int32_t at = root;
    for (;;) {
      const std::int32_t next = child_of<kCategorical>(nodes[at], x, rows.column_stride, bitsets);
      if (next == at) break;
      at = next;
    }
    leaves[i] = at;
  }
}

template <class T>
void walk(const WalkedRows<T>& rows, const PackedNode<T>* nodes, std::int32_t root, const std::uint32_t* bitsets,
          bool categorical, std::int32_t* leaves) noexcept {
  if (categorical)
    walk_rows<true>(rows, nodes, root, bitsets, leaves);
  else
    walk_rows<false>(rows, nodes, root, bitsets, leaves);
}

const tree::ForestKernels kKernels = {walk<float>, walk<double>, walk<std::uint8_t>};

}  // namespace

const tree::ForestKernels& forest_kernels() noexcept { return kKernels; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
