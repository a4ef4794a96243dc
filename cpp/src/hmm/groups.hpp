// Lanes: whole sequences, or the segments of a long one, in groups that advance together; and the tiles of a group.
//
//   cut       a place where a long sequence is divided: the first row of the segment after it
//   segment   what a lane holds of a sequence, between two cuts or the sequence's ends
#pragma once
#include <algorithm>
#include <vector>

#include "hmm/emission.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/hmm/model.hpp"

namespace mlcore::hmm {

inline constexpr Index kNone = -1;

struct Lane {
  Index sequence = kNone;  ///< kNone: the lane is not used
  Index row = 0;
  Index length = 0;
  Index before = kNone;  ///< cut at its first row, kNone: the sequence starts here
  Index after = kNone;   ///< cut behind its last row
  Index number = 0;      ///< of the lane in the order of rows
  bool cold = false;     ///< starts from equal probabilities: a guess that is to wear off
};

struct Cut {
  Index sequence = 0;
  Index row = 0;
};

struct Group {
  Lane lane[kGroup];
  Index length() const noexcept { return lane[0].length; }  ///< the longest comes first
};

/// Longest first, so that the lanes of a group end nearly together; of equal lengths the lower lane first.
inline std::vector<Group> group_by_length(std::vector<Lane> lanes) {
  std::stable_sort(lanes.begin(), lanes.end(), [](const Lane& a, const Lane& b) { return a.length > b.length; });
  std::vector<Group> groups((lanes.size() + kGroup - 1) / kGroup);
  for (std::size_t i = 0; i < lanes.size(); ++i) groups[i / kGroup].lane[i % kGroup] = lanes[i];
  return groups;
}

/// How sequences are laid out in lanes; by shape only.
struct Layout {
  std::vector<Lane> lanes;  ///< by rows; empty sequences have none
  std::vector<Cut> cuts;

  /// Sequences much longer than `segment` are cut into segments of about that length; those marked `lost` are left out.
  Layout(const Sequences& sequences, Index segment, const std::vector<bool>& lost) {
    for (Index s = 0; s < sequences.count(); ++s) {
      const Index row = sequences.offsets[s], length = sequences.offsets[s + 1] - row;
      if (length == 0 || lost[static_cast<std::size_t>(s)]) continue;
      const Index parts = 2 * length >= 3 * segment ? (length + segment - 1) / segment : 1;
      for (Index p = 0; p < parts; ++p) {
        Lane lane;
        lane.sequence = s;
        lane.row = row + length / parts * p + length % parts * p / parts;
        const Index end = row + length / parts * (p + 1) + length % parts * (p + 1) / parts;
        lane.length = end - lane.row;
        lane.number = static_cast<Index>(lanes.size());
        if (p > 0) lane.before = static_cast<Index>(cuts.size()) - 1;
        if (p + 1 < parts) {
          lane.after = static_cast<Index>(cuts.size());
          cuts.push_back({s, end});
        }
        lanes.push_back(lane);
      }
    }
  }
  Index longest() const noexcept {
    Index most = 0;
    for (const Lane& lane : lanes) most = std::max(most, lane.length);
    return most;
  }
};

/// Length of segments: eight groups or more, tracks that stay in the second-level cache, and long enough that warming
/// up costs little.
inline Index segment_length(const Sequences& sequences, Index states) noexcept {
  const Index rows = sequences.offsets[sequences.count()] - sequences.offsets[0];
  return std::clamp<Index>(ceil_div(rows, 8 * kGroup), 512, std::max<Index>(1024, 8192 / states));
}

/// Steps of a tile: tracks of K stay in the first-level cache. A multiple of 4, which the density kernels like.
inline Index tile_steps(Index states) noexcept { return std::clamp<Index>(256 / states / 4 * 4, 4, 64); }

inline Tile tile_of(const Group& group, Index first, Index steps, const std::int32_t* labels) noexcept {
  Tile tile;
  tile.steps = std::min(steps, group.length() - first);
  tile.labels = labels;
  for (Index l = 0; l < kGroup; ++l) {
    const Lane& lane = group.lane[l];
    tile.count[l] = std::clamp<Index>(lane.length - first, 0, tile.steps);
    tile.row[l] = tile.count[l] > 0 ? lane.row + first : lane.row;
  }
  return tile;
}

/// fn(first, steps, new_tile) over the rows of a group, cut at tiles and where a lane ends.
template <class Fn>
void for_each_run(const Group& group, Index tile, Fn&& fn) {
  for (Index first = 0; first < group.length();) {
    Index end = std::min(group.length(), (first / tile + 1) * tile);
    for (const Lane& lane : group.lane)
      if (lane.length > first) end = std::min(end, lane.length);
    fn(first, end - first, first % tile == 0);
    first = end;
  }
}

/// Throws std::invalid_argument where the arguments would lead outside the arrays.
void check_sequences(const EmissionSpec& emission, const Observations& x, const Sequences& sequences,
                     const Chain& chain);

}  // namespace mlcore::hmm
