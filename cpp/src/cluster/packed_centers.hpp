// Owner of the orders in which the kernels read the centres.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "cluster/kmeans.kernels.hpp"
#include "mlcore/base/buffer.hpp"

namespace mlcore::cluster {

template <class T>
class CenterPack {
 public:
  /// Groups of at most `group_size` <= kGroupCenters centres, as equal as possible.
  CenterPack(Index k, Index d, Index lanes, Index group_size = kGroupCenters)
      : k_(k),
        d_(d),
        row_length_(round_up(std::max<Index>(d, 1), lanes)),
        groups_(ceil_div(k, std::min(group_size, kGroupCenters))),
        panels_({k, d}),
        rows_(Buffer<T>::zeros({k, row_length_})),
        half_norms_({k}),
        first_({groups_ + 1}),
        id_(static_cast<std::size_t>(k)) {
    for (Index g = 0; g <= groups_; ++g) first_[g] = k * g / groups_;
    std::iota(id_.begin(), id_.end(), 0);
  }

  /// User's index of a position, and back.
  std::int32_t id(Index position) const noexcept { return id_[static_cast<std::size_t>(position)]; }
  const std::vector<std::int32_t>& ids() const noexcept { return id_; }
  Index groups() const noexcept { return groups_; }
  Index first(Index group) const noexcept { return first_[group]; }

  /// Order of the centres; inside a group ids must ascend, so that ties go to the lower id.
  void set_order(std::vector<std::int32_t> ids) { id_ = std::move(ids); }

  /// Packs centres (k x d, already shifted).
  void pack(const T* centers) noexcept {
    largest_norm_ = 0;
    for (Index g = 0; g < groups_; ++g) {
      const Index begin = first_[g], width = first_[g + 1] - begin;
      T* panel = panels_.data() + begin * d_;
      for (Index r = 0; r < width; ++r) {
        const T* c = centers + static_cast<Index>(id(begin + r)) * d_;
        T* row = rows_.data() + (begin + r) * row_length_;
        double norm = 0;
        for (Index j = 0; j < d_; ++j) {
          row[j] = c[j];
          panel[j * width + r] = c[j];
          norm += static_cast<double>(c[j]) * static_cast<double>(c[j]);
        }
        half_norms_[begin + r] = static_cast<T>(0.5 * norm);
        largest_norm_ = std::max(largest_norm_, norm);
      }
    }
  }

  double largest_squared_norm() const noexcept { return largest_norm_; }
  Index row_length() const noexcept { return row_length_; }
  PackedCenters<T> view() const noexcept {
    return {panels_.data(), rows_.data(), half_norms_.data(), first_.data(), groups_, d_, row_length_};
  }

 private:
  Index k_, d_, row_length_, groups_;
  Buffer<T> panels_, rows_, half_norms_;
  Buffer<Index> first_;
  std::vector<std::int32_t> id_;
  double largest_norm_ = 0;
};

}  // namespace mlcore::cluster
