// Doors for tests to the screening of centres and rows in bfloat16 (kmeans_screen.kernels.hpp,
// kmeans_candidates.kernels.hpp). Fits and
// predictions choose it by themselves, by shape and processor.
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::cluster {

/// How seeding screens its rows. kChosen: on the matrix unit if there is one and the shape pays.
enum class Screening { kChosen, kNever, kPortable, kMatrixUnit };

/// Greedy k-means++ on float32 rows in C order, screened as told. kMatrixUnit needs runtime::amx_bf16().
Buffer<Index> kmeans_plusplus_screened(const MatrixView<const float>& x, Index clusters, Index trials,
                                       std::uint64_t seed, int n_jobs, Screening screening);

/// 1 for the rows that some candidate (at most 16) may be nearer to than squared distance distance[row], nothing
/// shifted, by the kernels of a level. `listed`: the rows are handed over as a list. `amx` as in kmeans_screen.
Buffer<std::uint8_t> kmeans_near_rows(const MatrixView<const float>& x, const MatrixView<const float>& candidates,
                                      const VectorView<const float>& distance, runtime::IsaLevel level, bool amx,
                                      bool listed);

struct ScreenReport {
  Buffer<std::uint8_t> hits;  ///< n x k: 1 where the centre may be the row's nearest
  Buffer<float> best;         ///< n: what the score x.c - |c|^2 / 2 of the nearest centre is at least
  Buffer<float> second;       ///< n: what those of the others are at most, for rows with one hit
};

/// The kernel of a given level on all rows, nothing shifted. `amx` needs level v4 and runtime::amx_bf16(), or throws
/// std::invalid_argument.
ScreenReport kmeans_screen(const MatrixView<const float>& x, const MatrixView<const float>& centers,
                           runtime::IsaLevel level, bool amx);

/// kmeans_assign by screening, whatever the shape, at the level in use.
void kmeans_assign_screened(const MatrixView<const float>& x, const MatrixView<const float>& centers, bool amx,
                            std::int32_t* labels);

}  // namespace mlcore::cluster
