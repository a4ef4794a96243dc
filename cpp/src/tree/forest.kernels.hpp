// Kernels that walk rows down a tree.
#pragma once
#include <cstdint>

#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::tree {

/// T is float, double, or std::uint8_t for bins. Leaves point to themselves.
template <class T>
struct PackedNode {
  T threshold{};             ///< goes left: x <= threshold
  std::uint8_t missing = 0;  ///< bins: the number of the missing bin
  std::uint8_t missing_left = 0;
  std::int32_t feature = 0;
  std::int32_t left = 0;
  std::int32_t right = 0;
  std::int32_t bitset = -1;  ///< >= 0: categorical
};

template <class T>
struct WalkedRows {
  const T* x = nullptr;
  Index row_stride = 0;
  Index column_stride = 0;
  Index count = 0;
};

inline constexpr Index kWalkRows = 256;

/// leaves[i] <- number of the leaf of row i, for i < count <= kWalkRows.
template <class T>
using Walk = void (*)(const WalkedRows<T>& rows, const PackedNode<T>* nodes, std::int32_t root,
                      const std::uint32_t* bitsets, bool categorical, std::int32_t* leaves) noexcept;

struct ForestKernels {
  Walk<float> walk_f32;
  Walk<double> walk_f64;
  Walk<std::uint8_t> walk_bins;
};

}  // namespace mlcore::tree

MLCORE_DECLARE_KERNELS(mlcore::tree::ForestKernels, forest_kernels)
