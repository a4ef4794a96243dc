#include "mlcore/cluster/kmeans_screen.hpp"

#include <algorithm>
#include <stdexcept>

#include "cluster/candidate_screen.hpp"
#include "cluster/screened_assigner.hpp"
#include "mlcore/base/errors.hpp"

namespace mlcore::cluster {

namespace {

const ScreenKernels& screen_kernels_at(runtime::IsaLevel level) {
  MLCORE_SELECT_KERNELS_AT(level, kmeans_screen_kernels)
}
const CandidateKernels& candidate_kernels_at(runtime::IsaLevel level) {
  MLCORE_SELECT_KERNELS_AT(level, kmeans_candidate_kernels)
}
const KMeansKernels<float>& kmeans_kernels_at(runtime::IsaLevel level) {
  MLCORE_SELECT_KERNELS_AT(level, kmeans_kernels_f32)
}

void check(const MatrixView<const float>& x, const MatrixView<const float>& centers, bool amx) {
  require(centers.rows >= 1 && centers.cols == x.cols && centers.is_row_major(),
          "centres must be C-contiguous with as many columns as X");
  require(!amx || runtime::amx_bf16(), "no matrix unit");
}

}  // namespace

ScreenReport kmeans_screen(const MatrixView<const float>& x, const MatrixView<const float>& centers,
                           runtime::IsaLevel level, bool amx) {
  check(x, centers, amx);
  const KMeansKernels<float>& kernels = kmeans_kernels_at(level);
  const ScreenKernels& screen = screen_kernels_at(level);
  require(!amx || screen.screen_amx != nullptr, "no matrix unit at this level");
  const Index n = x.rows, d = x.cols, k = centers.rows, points = kernels.tile_points;
  CenterPack<float> pack(k, d, kernels.lanes);
  pack.pack(centers.data);
  ScreenPack screened(k, d);
  screened.pack(pack.view());
  Buffer<float> zeros = Buffer<float>::zeros({d}), tile({d, points}), scores({screened.padded(), points});
  Buffer<std::uint32_t> rounded({screened.chunks(), kScreenCoordinates / 2, points}), hits(screened.padded()),
      hit_points(screened.padded() + 16);
  Buffer<std::int32_t> center(screened.padded() + 16);
  ScreenReport report{Buffer<std::uint8_t>::zeros({n, k}), Buffer<float>(n + points), Buffer<float>(n + points)};
  if (amx) screen.begin_amx();
  for (Index row = 0; row < n; row += points) {
    const Index count = std::min(points, n - row);
    kernels.pack_tile({x.data, x.row_stride, x.col_stride, nullptr, row, count}, d, zeros.data(), tile.data());
    const ScreenSpace space{
        report.best.data() + row, report.second.data() + row, rounded.data(), scores.data(), hits.data(), center.data(),
        hit_points.data()};
    const Index listed = (amx ? screen.screen_amx : screen.screen)(tile.data(), screened.view(), space);
    for (Index i = 0; i < listed; ++i)
      for (Index p = 0; p < count; ++p)
        report.hits[(row + p) * k + center[i]] = static_cast<std::uint8_t>(hit_points[i] >> p & 1u);
  }
  if (amx) screen.end_amx();
  return report;
}

Buffer<std::uint8_t> kmeans_near_rows(const MatrixView<const float>& x, const MatrixView<const float>& candidates,
                                      const VectorView<const float>& distance, runtime::IsaLevel level, bool amx,
                                      bool listed) {
  check(x, candidates, amx);
  require(x.is_row_major() && candidates.rows <= kScreenCenters && distance.size == x.rows, "shapes do not match");
  const KMeansKernels<float>& kernels = kmeans_kernels_at(level);
  const CandidateKernels& screening = candidate_kernels_at(level);
  require(!amx || screening.near_rows_amx != nullptr, "no matrix unit at this level");
  const Index n = x.rows, d = x.cols, points = kernels.tile_points;
  const Buffer<float> zeros = Buffer<float>::zeros({d});
  CandidateScreen screen(x, zeros.data(), candidates.rows, amx ? Screening::kMatrixUnit : Screening::kPortable,
                         screening);
  CandidateScreen::Workspace w(screen);
  Buffer<float> tile({d, points});
  for (Index row = 0; row < n; row += points) {
    const Index count = std::min(points, n - row);
    kernels.pack_tile({x.data, x.row_stride, x.col_stride, nullptr, row, count}, d, zeros.data(), tile.data());
    screen.keep_lengths(tile.data(), row, count);
  }
  screen.set_candidates(candidates.data);
  Buffer<std::uint8_t> near = Buffer<std::uint8_t>::zeros({n});
  Buffer<std::int32_t> found(kBlockRows + kSelectSlack);
  for (Index first = 0; first < n; first += kBlockRows) {
    const Index rows = std::min(kBlockRows, n - first);
    Index count = 0;  // of a list: every other row, which is few enough to stay one
    for (Index i = 0; i < rows; i += listed ? 2 : 1) w.listed[count++] = static_cast<std::int32_t>(i);
    const Index hits = screen.filter(first, count, rows, distance.data, w, found.data());
    for (Index i = 0; i < hits; ++i) near[first + found[i]] = 1;
  }
  return near;
}

void kmeans_assign_screened(const MatrixView<const float>& x, const MatrixView<const float>& centers, bool amx,
                            std::int32_t* labels) {
  check(x, centers, amx);
  const Buffer<float> zeros = Buffer<float>::zeros({x.cols});
  std::fill(labels, labels + x.rows, -1);
  ScreenedAssigner assigner(x, zeros.data(), centers.rows, labels, 1, false, amx);
  assigner.centers_moved(centers.data, nullptr);
  ChangeList changes(kBlockRows);
  for (Index first = 0; first < x.rows; first += kBlockRows) {
    changes.clear();
    assigner.assign(first, std::min(x.rows, first + kBlockRows), 0, changes);
  }
}

}  // namespace mlcore::cluster
