// Kernel table of the screening step: which centres can be a row's nearest, from products in bfloat16.
//
// A bfloat16 has 8 bits of precision, so a product with rounded factors is wrong; but the error has a bound, and only
// the centres whose rounded score comes within twice that bound of the best one need an exact look. With x = X + dx and
// c = C + dc (capitals: rounded), x.c - X.C = dx.c + X.dc, which Cauchy and Schwarz bound by |dx| |c| + |X| |dc|.
//
// Glossary
//   tile      rows of X as in kmeans.kernels.hpp: tile[j * tile_points + p].
//   chunk     kScreenCoordinates coordinates, the depth of a matrix tile; group   kScreenCenters centres, its height.
//   start     -|c|^2 / 2, what a score begins with; -inf for the centres that fill the last groups.
//   hit       a centre that may be the nearest of a point.
#pragma once
#include <cstdint>

#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::cluster {

inline constexpr Index kScreenCenters = 16;
inline constexpr Index kScreenCoordinates = 32;

/// k centres in bfloat16, and the constants of the error bound.
struct ScreenCenters {
  const std::uint16_t* panels = nullptr;  ///< [groups][chunks][kScreenCenters][kScreenCoordinates], padded with zeros
  const float* starts = nullptr;          ///< [groups][kScreenCenters][16 times the same]
  Index centers = 0;
  Index groups = 0;  ///< even
  Index chunks = 0;
  Index d = 0;
  /// Scores are wrong by less than by_length * |X| + by_rounding * |dx| + constant.
  float by_length = 0, by_rounding = 0, constant = 0;
};

/// Memory of one thread, each array aligned to 64 bytes.
struct ScreenSpace {
  float* best = nullptr;            ///< tile_points; see ScreenKernels::screen
  float* second = nullptr;          ///< tile_points, or null: not wanted
  std::uint32_t* pairs = nullptr;   ///< chunks * kScreenCoordinates / 2 * tile_points
  float* scores = nullptr;          ///< groups * kScreenCenters * tile_points
  std::uint32_t* hits = nullptr;    ///< groups * kScreenCenters
  std::int32_t* center = nullptr;   ///< the same number + 16
  std::uint32_t* points = nullptr;  ///< the same number + 16
};

struct ScreenKernels {
  Index tile_points;

  /// Lists the centres that are hits in ascending order, space.center, each with the points that it may be the nearest
  /// of, one bit a point, space.points; returns their number. Every point's nearest centre by the scores of
  /// KMeansKernels::nearest is among its hits, and so are all its ties. space.best: what the nearest centre's score is
  /// at least; space.second, if wanted: what the scores of all others are at most, for points with a single hit.
  Index (*screen)(const float* tile, const ScreenCenters& centers, const ScreenSpace& space) noexcept;
  /// The same on the matrix unit, between begin_amx and end_amx on the same thread. Null where not compiled in; call
  /// it only if runtime::amx_bf16().
  Index (*screen_amx)(const float* tile, const ScreenCenters& centers, const ScreenSpace& space) noexcept;
  void (*begin_amx)() noexcept;
  void (*end_amx)() noexcept;
  /// score[p] <- x_p.c_p - half_norms[p] for two tiles, bit for bit what KMeansKernels::nearest computes.
  void (*pair_scores)(const float* rows, const float* centers, const float* half_norms, Index d, float* score) noexcept;
};

}  // namespace mlcore::cluster

MLCORE_DECLARE_KERNELS(mlcore::cluster::ScreenKernels, kmeans_screen_kernels)
