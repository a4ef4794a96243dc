// Gradient-based one-side sampling.
#include <algorithm>
#include <bit>
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
constexpr Index kDigitTasks = 16;  // pieces of rows that count digits on their own

float importance(const MatrixView<float>& g, const MatrixView<float>& h, Index i) noexcept {
  float sum = 0.0f;
  for (Index k = 0; k < g.rows; ++k) sum += std::abs(g(k, i)) * (h.data != nullptr ? h(k, i) : 1.0f);
  return sum > 0.0f ? sum : 0.0f;
}

/// The largest keys: all above `threshold`, and the first `ties` that are equal to it.
struct Largest {
  std::uint32_t threshold = 0xffffffffu;
  Index ties = 0;
};

/// The `count` largest of n keys, by counting digits from the highest one down.
Largest find_largest(const std::uint32_t* keys, Index n, Index count, int threads) {
  if (count == 0) return {};
  constexpr int kShifts[] = {21, 10, 0}, kBits[] = {11, 11, 10};
  Largest found{0, count};
  for (int level = 0; level < 3; ++level) {
    const int shift = kShifts[level], above = shift + kBits[level];
    const std::size_t digits = std::size_t{1} << kBits[level];
    std::vector<std::vector<std::uint32_t>> counts(kDigitTasks, std::vector<std::uint32_t>(digits));
    runtime::parallel_for(kDigitTasks, threads, [&](Index t) {
      std::uint32_t* own = counts[static_cast<std::size_t>(t)].data();
      for (Index i = n * t / kDigitTasks; i < n * (t + 1) / kDigitTasks; ++i)
        if (level == 0 || keys[i] >> above == found.threshold >> above) ++own[(keys[i] >> shift) & (digits - 1)];
    });
    std::size_t digit = digits;
    Index here = 0;
    while (digit-- > 0) {
      here = 0;
      for (const auto& own : counts) here += own[digit];
      if (here >= found.ties) break;
      found.ties -= here;
    }
    found.threshold |= static_cast<std::uint32_t>(digit) << shift;
  }
  return found;
}

/// How many of the largest are in each block of rows; of those equal to the threshold, the lower rows come first.
class Takers {
 public:
  Takers(const std::uint32_t* keys, Index n, Largest largest, int threads)
      : above_(static_cast<std::size_t>(ceil_div(n, kBlockRows))), ties_(above_.size()) {
    runtime::parallel_for(ceil_div(n, kBlockRows), threads, [&](Index b) {
      Index above = 0, equal = 0;
      for (Index i = b * kBlockRows; i < std::min(n, (b + 1) * kBlockRows); ++i) {
        above += keys[i] > largest.threshold ? 1 : 0;
        equal += keys[i] == largest.threshold ? 1 : 0;
      }
      above_[static_cast<std::size_t>(b)] = above;
      ties_[static_cast<std::size_t>(b)] = equal;
    });
    for (Index& ties : ties_) {
      ties = std::min(ties, largest.ties);
      largest.ties -= ties;
    }
  }
  Index ties(Index block) const noexcept { return ties_[static_cast<std::size_t>(block)]; }
  Index rows(Index block) const noexcept { return above_[static_cast<std::size_t>(block)] + ties(block); }

 private:
  std::vector<Index> above_, ties_;
};

}  // namespace

// The rest is drawn by keys: every row below the top gets a random number, and the largest ones are taken. Equal keys,
// a few in a billion pairs, go to the lower rows.
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
  const int threads =
      runtime::threads_for_work(runtime::resolve_threads(n_threads).threads, 12.0 * static_cast<double>(n));
  const Index blocks = ceil_div(n, kBlockRows);
  const auto end_of = [n](Index block) { return std::min(n, (block + 1) * kBlockRows); };

  // Bits of numbers that are not negative are in their order.
  Buffer<std::uint32_t> keys(n);
  runtime::parallel_for(blocks, threads, [&](Index b) {
    for (Index i = b * kBlockRows; i < end_of(b); ++i)
      keys[i] = std::bit_cast<std::uint32_t>(importance(gradients, hessians, i));
  });
  const Largest first = find_largest(keys.data(), n, top, threads);
  const Takers tops(keys.data(), n, first, threads);
  // From here on the key of a row of the top is 0.
  runtime::parallel_for(blocks, threads, [&](Index b) {
    Stream stream(seed, Purpose::kSubsample, b);
    Index ties = tops.ties(b);
    std::uint64_t word = 0;
    for (Index i = b * kBlockRows; i < end_of(b); ++i) {
      const bool tie = keys[i] == first.threshold && ties > 0;
      const bool is_top = top > 0 && (keys[i] > first.threshold || tie);
      ties -= tie ? 1 : 0;
      word = (i & 1) == 0 ? stream.next() : word >> 32;  // a block begins with an even row
      keys[i] = is_top ? 0 : static_cast<std::uint32_t>(word) | 1u;
    }
  });
  const Largest second = find_largest(keys.data(), n, other, threads);
  const Takers others(keys.data(), n, second, threads);
  std::vector<Index> before(static_cast<std::size_t>(blocks));
  Index taken = 0;
  for (Index b = 0; b < blocks; ++b) {
    before[static_cast<std::size_t>(b)] = taken;
    taken += tops.rows(b) + others.rows(b);
  }
  Buffer<std::uint32_t> rows(top + other);
  const auto factor = other > 0 ? static_cast<float>(static_cast<double>(n - top) / static_cast<double>(other)) : 0.0f;
  runtime::parallel_for(blocks, threads, [&](Index b) {
    Index place = before[static_cast<std::size_t>(b)], ties = others.ties(b);
    for (Index i = b * kBlockRows; i < end_of(b); ++i) {
      const std::uint32_t key = keys[i];
      const bool tie = key == second.threshold && ties > 0;
      const bool drawn = other > 0 && (key > second.threshold || tie);
      if (key != 0 && !drawn) continue;
      rows[place++] = static_cast<std::uint32_t>(i);
      if (!drawn) continue;
      ties -= tie ? 1 : 0;
      for (Index k = 0; k < gradients.rows; ++k) {
        gradients(k, i) *= factor;
        if (hessians.data != nullptr) hessians(k, i) *= factor;
      }
    }
  });
  return rows;
}

}  // namespace mlcore::ensemble
