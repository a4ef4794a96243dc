// Which rows some candidate of a seeding step may take, by products in bfloat16: kmeans_candidates.kernels.hpp.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

#include "cluster/assigner.hpp"
#include "cluster/kmeans_tables.hpp"
#include "cluster/screen_bound.hpp"
#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/cluster/kmeans_screen.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::cluster {

/// Of float32 rows in C order. Two floats a row are kept: its length, and what rounding takes from it.
class CandidateScreen {
 public:
  struct Workspace {
    explicit Workspace(const CandidateScreen& owner)
        : rounded({owner.on_ ? 2 * owner.chunks_ * kScreenRows * kScreenCoordinates : 0}),
          scores({owner.on_ ? 4 * kScreenRows * kScreenCenters : 0}),
          least({owner.on_ ? kBlockRows : 0}),
          listed({owner.on_ ? kBlockRows + kSelectSlack : 0}) {}
    Buffer<std::uint16_t> rounded;
    Buffer<float> scores, least;
    Buffer<std::int32_t> listed;  ///< what filter() takes
  };

  CandidateScreen(const MatrixView<const float>& x, const float* offset, Index candidates, Screening screening,
                  const CandidateKernels& kernels = candidate_kernels())
      : x_(x),
        offset_(offset),
        candidates_(candidates),
        chunks_(ceil_div(x.cols, kScreenCoordinates)),
        kernels_(kernels),
        amx_(screening == Screening::kChosen ? runtime::amx_bf16() && kernels_.near_rows_amx != nullptr
                                             : screening == Screening::kMatrixUnit),
        on_(x.col_stride == 1 && candidates <= kScreenCenters && screening != Screening::kNever &&
            (screening != Screening::kChosen || (amx_ && x.cols >= kLeastColumns))),
        panel_(Buffer<std::uint16_t>::zeros({on_ ? chunks_ * kScreenCoordinates * kScreenCenters : 0})),
        starts_({kScreenCenters}),
        length_({on_ ? x.rows : 0}),
        lost_({on_ ? x.rows : 0}) {
    std::fill_n(starts_.data(), kScreenCenters, -std::numeric_limits<float>::infinity());
  }

  bool on() const noexcept { return on_; }

  /// The lengths of rows from, from + 1, ..., packed as a tile.
  void keep_lengths(const float* tile, Index from, Index count) noexcept {
    float length[kMaxTilePoints], lost[kMaxTilePoints];
    kernels_.row_lengths(tile, x_.cols, length, lost);
    std::copy_n(length, count, length_.data() + from);
    std::copy_n(lost, count, lost_.data() + from);
  }

  /// Candidates: count x d, shifted.
  void set_candidates(const float* candidates) noexcept {
    LargestLengths lengths;
    for (Index t = 0; t < candidates_; ++t) {
      const float* candidate = candidates + t * x_.cols;
      lengths.add(candidate, x_.cols);
      double norm = 0;
      for (Index j = 0; j < x_.cols; ++j) {
        norm += static_cast<double>(candidate[j]) * static_cast<double>(candidate[j]);
        const Index pair = j % kScreenCoordinates / 2;
        panel_[((j / kScreenCoordinates * (kScreenCoordinates / 2) + pair) * kScreenCenters + t) * 2 + j % 2] =
            nearest_bfloat16(candidate[j]);
      }
      starts_[t] = static_cast<float>(-0.5 * norm);
    }
    const ScreenBound bound = lengths.bound(x_.cols);
    // Exact distances are sums of d squares in float, and so are |x|^2 and D; squares may underflow.
    const double d = static_cast<double>(x_.cols);
    bound_ = {bound.by_length, bound.by_rounding, bound.constant + static_cast<float>(d * 0x1p-118),
              static_cast<float>((d + 16.0) * 0x1p-21)};
  }

  /// Of the rows first + w.listed[i] those that a candidate may be nearer to than distance[first + w.listed[i]].
  Index filter(Index first, Index count, Index block_rows, const float* distance, Workspace& w,
               std::int32_t* out) const noexcept {
    kernels_.least_scores(distance + first, length_.data() + first, lost_.data() + first, block_rows, bound_,
                          w.least.data());
    const CandidatePanel candidates{panel_.data(), starts_.data(), chunks_, x_.cols};
    const CandidateSpace space{w.rounded.data(), w.scores.data()};
    const bool all = 4 * count > 3 * block_rows;  // rows that need no look cost less than a list of the others
    if (all) count = block_rows;
    const RowSet<float> set{x_.data, x_.row_stride, 1, all ? nullptr : w.listed.data(), first, count};
    if (!amx_) return kernels_.near_rows(set, offset_, candidates, w.least.data(), space, out);
    screen_kernels().begin_amx();
    const Index found = kernels_.near_rows_amx(set, offset_, candidates, w.least.data(), space, out);
    screen_kernels().end_amx();
    return found;
  }

 private:
  static constexpr Index kLeastColumns = 8;  ///< with fewer, exact distances cost no more

  MatrixView<const float> x_;
  const float* offset_;
  Index candidates_, chunks_;
  const CandidateKernels& kernels_;
  bool amx_, on_;
  Buffer<std::uint16_t> panel_;
  Buffer<float> starts_, length_, lost_;
  LeastScoreBound bound_;
};

/// For rows that are not screened: float64, CSR.
class NoScreen {
 public:
  template <class View, class Scalar>
  NoScreen(const View&, const Scalar*, Index, Screening) {}
  struct Workspace {
    explicit Workspace(const NoScreen&) {}
    Buffer<std::int32_t> listed;
  };
  template <class Scalar>
  void keep_lengths(const Scalar*, Index, Index) noexcept {}
  template <class Scalar>
  void set_candidates(const Scalar*) noexcept {}
  template <class Scalar>
  Index filter(Index, Index, Index, const Scalar*, Workspace&, std::int32_t*) const noexcept {
    return 0;
  }
  static constexpr bool on() noexcept { return false; }
};

}  // namespace mlcore::cluster
