// Counter-based random numbers: Philox4x64-10 and everything we draw from it.
//
// A draw is a pure function of (seed, purpose, item, part, position): no state is shared and none depends on threads.
//   key      = (seed, purpose)             the 64-bit seed that Python drew, and what the numbers are for
//   counter  = (position / 4, item, part, 0)   item: tree, restart, chain, row block; part: a second level, if needed
//   position   number of the 64-bit word within the stream; one block of the generator gives four
// Every real-valued draw takes exactly one word, so `Stream::seek(row * draws_per_row)` gives the numbers of a row
// without drawing those of the rows before. Bounded integers may take more than one (rejection): use one item per
// logical unit.
//
// Integers and uniforms are the same on every platform and level. Normals and exponentials use our own logarithm and
// only correctly rounded operations (+ - * / sqrt), so no libm version changes their bits.
//
// Reference: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"

#ifdef MLCORE_ISA_NAMESPACE
#error "runtime/random.hpp is for drivers: contracted arithmetic in a kernel file would change the bits of the draws"
#endif

namespace mlcore::runtime::random {

/// What the numbers are for. Streams of different purposes are independent. Values are part of the reproducibility
/// promise: append, never renumber.
enum class Purpose : std::uint64_t {
  kTest = 0,
  kSeeding = 1,         ///< choice of initial centres, components, codebooks
  kRestart = 2,         ///< seeds of independent restarts
  kMiniBatch = 3,       ///< rows of a mini-batch
  kReassignment = 4,    ///< new places for empty or starved clusters
  kShuffle = 5,         ///< order of rows or columns
  kBootstrap = 6,       ///< rows drawn with replacement
  kSubsample = 7,       ///< rows or columns drawn without replacement
  kInitialisation = 8,  ///< parameters drawn from a distribution
  kNoise = 9,           ///< perturbations, dropout, jitter
  kProjection = 10,     ///< random matrices of sketches and projections
  kSampling = 11,       ///< data drawn from a fitted model, Monte Carlo chains
  kReference = 12,      ///< reference data of a null model (gap statistic, permutation test)
  kTieBreak = 13,
};

/// 64 x 64 -> 128-bit product.
struct Product128 {
  std::uint64_t high;
  std::uint64_t low;
};
inline constexpr Product128 multiply_wide(std::uint64_t a, std::uint64_t b) noexcept {
#ifdef __SIZEOF_INT128__
  __extension__ typedef unsigned __int128 Wide;
  const Wide product = static_cast<Wide>(a) * b;
  return {static_cast<std::uint64_t>(product >> 64), static_cast<std::uint64_t>(product)};
#else
  constexpr std::uint64_t kLow = 0xffffffffu;
  const std::uint64_t ll = (a & kLow) * (b & kLow), lh = (a & kLow) * (b >> 32);
  const std::uint64_t hl = (a >> 32) * (b & kLow), hh = (a >> 32) * (b >> 32);
  const std::uint64_t middle = (ll >> 32) + (lh & kLow) + (hl & kLow);
  return {hh + (lh >> 32) + (hl >> 32) + (middle >> 32), (middle << 32) | (ll & kLow)};
#endif
}

struct Block {
  std::uint64_t word[4];
};

/// Ten rounds of Philox4x64 on one counter.
inline constexpr Block philox4x64(Block counter, std::uint64_t key0, std::uint64_t key1) noexcept {
  for (int round = 0; round < 10; ++round) {
    const Product128 p0 = multiply_wide(0xD2E7470EE14C6C93u, counter.word[0]);
    const Product128 p1 = multiply_wide(0xCA5A826395121157u, counter.word[2]);
    counter = {{p1.high ^ counter.word[1] ^ key0, p1.low, p0.high ^ counter.word[3] ^ key1, p0.low}};
    key0 += 0x9E3779B97F4A7C15u;  // golden ratio
    key1 += 0xBB67AE8584CAA73Bu;  // sqrt(3) - 1
  }
  return counter;
}

/// Natural logarithm of a positive, finite, normal number; error below 1 ULP; the same bits everywhere.
double portable_log(double x) noexcept;

/// Inverse of the normal distribution function for 0 < p < 1; relative error below 1e-15; the same bits everywhere.
/// Reference: M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Appl. Stat. 37
/// (1988).
double normal_quantile(double p) noexcept;

/// One sequence of numbers. Cheap to make (no set-up); make one per logical item.
class Stream {
 public:
  explicit Stream(std::uint64_t seed, Purpose purpose = Purpose::kTest, Index item = 0, Index part = 0) noexcept
      : key0_(seed),
        key1_(static_cast<std::uint64_t>(purpose)),
        item_(static_cast<std::uint64_t>(item)),
        part_(static_cast<std::uint64_t>(part)) {}

  /// Next 64 random bits.
  std::uint64_t next() noexcept {
    const auto lane = static_cast<unsigned>(position_ & 3);
    if (lane == 0 || !filled_) {
      block_ = philox4x64({{position_ >> 2, item_, part_, 0}}, key0_, key1_);
      filled_ = true;
    }
    ++position_;
    return block_.word[lane];
  }

  /// Number of words drawn so far; where seek() goes.
  std::uint64_t position() const noexcept { return position_; }
  void seek(std::uint64_t position) noexcept {
    position_ = position;
    filled_ = false;
  }

  /// Unbiased integer in [0, bound), bound >= 1.
  /// Method: high half of word * bound, rejecting the few low halves that would favour some values (D. Lemire, "Fast
  /// random integer generation in an interval", ACM TOMACS 29, 2019). Expected words < 2 at the worst bound, about 1
  /// for small ones.
  std::uint64_t below(std::uint64_t bound) noexcept {
    Product128 product = multiply_wide(next(), bound);
    if (product.low < bound) {
      const std::uint64_t threshold = (0 - bound) % bound;  // 2^64 mod bound
      while (product.low < threshold) product = multiply_wide(next(), bound);
    }
    return product.high;
  }
  /// Unbiased row number in [0, n), n >= 1.
  Index index(Index n) noexcept { return static_cast<Index>(below(static_cast<std::uint64_t>(n))); }

  /// Uniform on [0, 1): multiples of 2^-53 (float: 2^-24).
  template <class T = double>
  T uniform() noexcept;
  /// Uniform on (0, 1): odd multiples of 2^-53 (float: 2^-24), symmetric about 1/2.
  template <class T = double>
  T uniform_open() noexcept;
  /// Uniform on (0, 1]: multiples of 2^-53 (float: 2^-24).
  template <class T = double>
  T uniform_positive() noexcept;
  /// Uniform on [low, high), low < high, high - low finite.
  template <class T = double>
  T uniform(T low, T high) noexcept {
    const T value = low + (high - low) * uniform<T>();
    return value < high ? value : low;  // rounding may reach `high`, an event as rare as one grid point
  }

  /// Standard normal by inversion: 52 bits of tail probability in (0, 1/2) and a sign, so |z| <= 8.3 and exact
  /// symmetry.
  template <class T = double>
  T normal() noexcept {
    const std::uint64_t word = next();
    const double tail = (static_cast<double>(word >> 12) + 0.5) * 0x1p-53;
    const double z = normal_quantile(tail);
    return static_cast<T>((word & 1) != 0 ? -z : z);
  }
  /// Standard exponential, -log(U) with U on (0, 1].
  template <class T = double>
  T exponential() noexcept {
    return static_cast<T>(0.0 - portable_log(uniform_positive<double>()));
  }

  /// Fisher-Yates: every order of the n elements is equally likely.
  template <class T>
  void shuffle(T* data, Index n) noexcept {
    for (Index i = n - 1; i > 0; --i) {
      const Index j = index(i + 1);
      T held = std::move(data[i]);
      data[i] = std::move(data[j]);
      data[j] = std::move(held);
    }
  }

 private:
  std::uint64_t key0_, key1_, item_, part_;
  std::uint64_t position_ = 0;
  Block block_{};
  bool filled_ = false;
};

template <>
inline double Stream::uniform<double>() noexcept {
  return static_cast<double>(next() >> 11) * 0x1p-53;
}
template <>
inline float Stream::uniform<float>() noexcept {
  return static_cast<float>(next() >> 40) * 0x1p-24f;
}
template <>
inline double Stream::uniform_open<double>() noexcept {
  return (static_cast<double>(next() >> 12) + 0.5) * 0x1p-52;
}
template <>
inline float Stream::uniform_open<float>() noexcept {
  return (static_cast<float>(next() >> 41) + 0.5f) * 0x1p-23f;
}
template <>
inline double Stream::uniform_positive<double>() noexcept {
  return static_cast<double>((next() >> 11) + 1) * 0x1p-53;
}
template <>
inline float Stream::uniform_positive<float>() noexcept {
  return static_cast<float>((next() >> 40) + 1) * 0x1p-24f;
}

/// 0, ..., n - 1 in random order.
Buffer<Index> permutation(Stream& stream, Index n);

/// `count` different numbers of [0, n) in random order, each ordered sample equally likely; 0 <= count <= n. Partial
/// Fisher-Yates; memory O(min(n, count)), the numbers do not depend on how it is stored.
Buffer<Index> sample_without_replacement(Stream& stream, Index n, Index count);

/// First i with cumulative[i] > target (cumulative non-decreasing), or n. O(log n).
Index search_cumulative(const double* cumulative, Index n, double target) noexcept;

/// Draws i with probability weight[i] / sum(weight). Zero weights are never drawn. Set-up O(n), one word and O(log n) a
/// draw.
class WeightedChoice {
 public:
  /// Throws std::invalid_argument unless all weights are finite and >= 0 and their sum is positive and finite.
  template <class T>
  explicit WeightedChoice(VectorView<const T> weights);

  Index operator()(Stream& stream) const noexcept;
  double total() const noexcept { return cumulative_.empty() ? 0.0 : cumulative_.back(); }

 private:
  std::vector<double> cumulative_;
};

extern template WeightedChoice::WeightedChoice(VectorView<const float>);
extern template WeightedChoice::WeightedChoice(VectorView<const double>);

}  // namespace mlcore::runtime::random
