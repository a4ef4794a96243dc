// Gradient-based one-side sampling.
#include <algorithm>
#include <cmath>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/ensemble/losses.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/random.hpp"

namespace mlcore::ensemble {

namespace {

constexpr Index kBlockRows = 8192;

float importance(const MatrixView<float>& g, const MatrixView<float>& h, Index i) noexcept {
  float sum = 0.0f;
  for (Index k = 0; k < g.rows; ++k) sum += std::abs(g(k, i)) * (h.data != nullptr ? h(k, i) : 1.0f);
  return sum;
}

}  // namespace

Buffer<std::uint32_t> goss(MatrixView<float> gradients, MatrixView<float> hessians, double top_rate, double other_rate,
                           std::uint64_t seed, int n_threads) {
  using runtime::random::Purpose;
  using runtime::random::Stream;
  const Index n = gradients.cols;
  require(top_rate >= 0.0 && other_rate >= 0.0 && top_rate + other_rate > 0.0 && top_rate + other_rate <= 1.0,
          "top_rate and other_rate must be at least 0, their sum in (0, 1]");
  require(hessians.data == nullptr || (hessians.rows == gradients.rows && hessians.cols == n),
          "hessians must have the shape of gradients");
  const auto top = std::min(n, static_cast<Index>(std::ceil(top_rate * static_cast<double>(n))));
  const auto other = std::min(n - top, static_cast<Index>(std::ceil(other_rate * static_cast<double>(n))));

  Buffer<float> score(n);
  const int threads =
      runtime::threads_for_work(runtime::resolve_threads(n_threads).threads, 3.0 * static_cast<double>(n));
  const Index blocks = ceil_div(n, kBlockRows);
  runtime::parallel_for(blocks, threads, [&](Index b) {
    for (Index i = b * kBlockRows; i < std::min(n, (b + 1) * kBlockRows); ++i)
      score[i] = importance(gradients, hessians, i);
  });
  // The top-th largest score, and how many rows with exactly this score belong to the top.
  float threshold = 0.0f;
  Index ties = 0;
  if (top > 0) {
    std::vector<float> sorted(score.begin(), score.end());
    std::nth_element(sorted.begin(), sorted.begin() + (top - 1), sorted.end(), std::greater<>());
    threshold = sorted[static_cast<std::size_t>(top - 1)];
    ties = top - std::count_if(sorted.begin(), sorted.end(), [&](float s) { return s > threshold; });
  }
  // One pass of selection sampling (D. Knuth, TAOCP 2, algorithm S): exactly `other` of the rest, each set equally
  // likely; in order, so that rows come out ascending.
  Buffer<std::uint32_t> rows(top + other);
  Stream stream(seed, Purpose::kSubsample);
  Index taken = 0, wanted = other, rest = n - top;
  const auto factor = other > 0 ? static_cast<float>(static_cast<double>(n - top) / static_cast<double>(other)) : 0.0f;
  for (Index i = 0; i < n; ++i) {
    const bool tie = top > 0 && score[i] == threshold && ties > 0;
    if (top > 0 && (score[i] > threshold || tie)) {
      if (tie) --ties;
      rows[taken++] = static_cast<std::uint32_t>(i);
      continue;
    }
    const bool take = wanted > 0 && stream.uniform() * static_cast<double>(rest) < static_cast<double>(wanted);
    --rest;
    if (!take) continue;
    --wanted;
    rows[taken++] = static_cast<std::uint32_t>(i);
    for (Index k = 0; k < gradients.rows; ++k) {
      gradients(k, i) *= factor;
      if (hessians.data != nullptr) hessians(k, i) *= factor;
    }
  }
  return rows;
}

}  // namespace mlcore::ensemble
