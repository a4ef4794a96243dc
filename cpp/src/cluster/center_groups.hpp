// Neighbouring centres side by side: the order in which group bounds are useful.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "cluster/packed_centers.hpp"

namespace mlcore::cluster {

/// Order of k centres (k x d) such that each packed group holds centres near one another: recursive bisection at group
/// borders along the widest coordinate. Ids ascend inside a group. O(k d log k).
template <class T>
std::vector<std::int32_t> spatial_order(const T* centers, Index k, Index d, const CenterPack<T>& pack) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(k));
  std::iota(ids.begin(), ids.end(), 0);
  struct Range {
    Index first_group, last_group;
  };
  std::vector<Range> open{{0, pack.groups()}};
  while (!open.empty()) {
    const auto [lo, hi] = open.back();
    open.pop_back();
    const auto begin = ids.begin() + pack.first(lo), end = ids.begin() + pack.first(hi);
    if (hi - lo <= 1) {
      std::sort(begin, end);
      continue;
    }
    Index widest = 0;
    double width = -1;
    for (Index j = 0; j < d; ++j) {
      double low = centers[*begin * d + j], high = low;
      for (auto it = begin; it != end; ++it) {
        const double v = centers[static_cast<Index>(*it) * d + j];
        low = std::min(low, v);
        high = std::max(high, v);
      }
      if (high - low > width) {
        width = high - low;
        widest = j;
      }
    }
    const Index middle = (lo + hi) / 2;
    std::nth_element(begin, ids.begin() + pack.first(middle), end, [&](std::int32_t a, std::int32_t b) {
      const T va = centers[static_cast<Index>(a) * d + widest], vb = centers[static_cast<Index>(b) * d + widest];
      return va != vb ? va < vb : a < b;
    });
    open.push_back({lo, middle});
    open.push_back({middle, hi});
  }
  return ids;
}

}  // namespace mlcore::cluster
