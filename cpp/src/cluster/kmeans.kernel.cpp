// k-means kernels: the table of one level. What is in it: packing, scores and distances of row tiles
// (kmeans_tiles.kernel.hpp), scores of single rows (kmeans_rows.kernel.hpp), bounds (kmeans_bounds.kernel.hpp), sums
// (kmeans_sums.kernel.hpp).
#include "cluster/kmeans.kernels.hpp"
#include "cluster/kmeans_bounds.kernel.hpp"
#include "cluster/kmeans_rows.kernel.hpp"
#include "cluster/kmeans_sums.kernel.hpp"
#include "cluster/kmeans_tiles.kernel.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

template <class T>
constexpr cluster::KMeansKernels<T> kTable = {
    .tile_points = kTile<T>,
    .lanes = kLanes<T>,
    .pack_tile = pack_tile<T>,
    .copy_rows = copy_rows<T>,
    .tile_norms = tile_norms<T>,
    .nearest = nearest<T>,
    .nearest_two = nearest_two<T>,
    .tile_distances = tile_distances<T>,
    .add_gains = add_gains<T>,
    .row_scores = row_scores<T>,
    .row_score = row_score<T>,
    .add_row = add_row<T>,
    .add_moments = add_moments<T>,
    .squared_distance = squared_distance<T>,
    .lower_bounds = lower_bounds<T>,
    .upper_bounds = upper_bounds<T>,
    .failing_groups = failing_groups<T>,
    .select_unsafe = select_unsafe<T>,
    .sparse_scores_i32 = sparse_scores<T, std::int32_t>,
    .sparse_scores_i64 = sparse_scores<T, std::int64_t>,
};

}  // namespace

const cluster::KMeansKernels<float>& kmeans_kernels_f32() noexcept { return kTable<float>; }
const cluster::KMeansKernels<double>& kmeans_kernels_f64() noexcept { return kTable<double>; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
