// The assignment step of k-means behind one interface, and what the bound-keeping variants share.
//
// Glossary
//   drift      distance that a centre moved in the last update.
//   upper u    upper bound on a row's distance to its own centre.
//   lower l    lower bound on its distance to every other centre.
//   gap        u - l. A row whose gap is negative keeps its centre: nobody else can be nearer.
//   ledger     sums of drifts since the start. Bounds are stored relative to it, so that a step in which a row is not
//              touched writes nothing: u_now = u_stored + own, l_now = l_stored - others, gap_now = gap_stored +
//              allowance.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "cluster/kmeans_tables.hpp"
#include "mlcore/base/buffer.hpp"
#include "mlcore/cluster/kmeans.hpp"

namespace mlcore::cluster {

/// Rows that changed their centre, in row order within a block; from is -1 in the first step.
struct ChangeList {
  struct Change {
    Index row;
    std::int32_t from, to;
  };
  explicit ChangeList(Index capacity) : changes(capacity) {}
  void clear() noexcept { count = 0; }
  void add(Index row, std::int32_t from, std::int32_t to) noexcept { changes[count++] = {row, from, to}; }
  Buffer<Change> changes;
  Index count = 0;
};

/// Rows of a block: what assign() is called with at a time.
inline constexpr Index kBlockRows = 512;

template <class T>
class Assigner {
 public:
  virtual ~Assigner() = default;
  /// New centres (k x d, shifted); drift is null before the first step. Called by one thread.
  virtual void centers_moved(const T* centers, const double* drift) = 0;
  /// Assigns the rows [first, last), at most kBlockRows of them, and lists those that changed. `member` < team size.
  virtual void assign(Index first, Index last, int member, ChangeList& changes) noexcept = 0;
};

/// Rounding allowance: squared distances from the score formula are wrong by less than margin * (|x|^2 + max |c|^2).
template <class T>
struct Margin {
  explicit Margin(Index d) noexcept
      : relative((std::sqrt(static_cast<double>(d)) + 8.0) * std::numeric_limits<T>::epsilon()) {}
  T upper(double squared_norm, double score, double largest_norm) const noexcept {
    const double error = relative * (squared_norm + largest_norm);
    return nudge_up(std::sqrt(std::max(0.0, squared_norm - 2.0 * score + error)));
  }
  T lower(double squared_norm, double score, double largest_norm) const noexcept {
    const double error = relative * (squared_norm + largest_norm);
    return nudge_down(std::sqrt(std::max(0.0, squared_norm - 2.0 * score - error)));
  }
  static T nudge_up(double v) noexcept { return static_cast<T>(v * (1.0 + 2.0 * std::numeric_limits<T>::epsilon())); }
  static T nudge_down(double v) noexcept { return static_cast<T>(v * (1.0 - 2.0 * std::numeric_limits<T>::epsilon())); }
  double relative;
};

template <class T>
class DriftLedger {
 public:
  explicit DriftLedger(Index k)
      : own_(static_cast<std::size_t>(k), 0.0), others_(own_), allowance_(Buffer<T>::zeros({k})) {}

  void add(const double* drift) noexcept {
    const std::size_t k = own_.size();
    double largest = 0, second = 0;
    for (std::size_t c = 0; c < k; ++c) {
      if (drift[c] > largest) {
        second = largest;
        largest = drift[c];
      } else {
        second = std::max(second, drift[c]);
      }
    }
    for (std::size_t c = 0; c < k; ++c) {
      own_[c] += drift[c];
      others_[c] += drift[c] == largest ? second : largest;
      allowance_[static_cast<Index>(c)] = Margin<T>::nudge_up(own_[c] + others_[c]);
    }
  }
  double own(std::int32_t c) const noexcept { return own_[static_cast<std::size_t>(c)]; }
  double others(std::int32_t c) const noexcept { return others_[static_cast<std::size_t>(c)]; }
  const T* allowance() const noexcept { return allowance_.data(); }
  /// Gap to store for a row of centre c, rounded towards "unsafe".
  T stored_gap(T upper, T lower, std::int32_t c) const noexcept {
    const T allowance = allowance_[c];
    const T slack = T(6) * std::numeric_limits<T>::epsilon() * (upper + lower + allowance);
    return (upper - lower) - allowance + slack;
  }

 private:
  std::vector<double> own_, others_;
  Buffer<T> allowance_;
};

}  // namespace mlcore::cluster
