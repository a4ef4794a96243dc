// Sequences in groups of lanes, and the tiles of a group.
#pragma once
#include <algorithm>
#include <vector>

#include "hmm/emission.hpp"
#include "mlcore/hmm/model.hpp"

namespace mlcore::hmm {

struct Lane {
  Index sequence = -1;  ///< -1: the lane is not used
  Index row = 0;
  Index length = 0;
};

struct Group {
  Lane lane[kGroup];
  Index length() const noexcept { return lane[0].length; }  ///< the longest comes first
};

/// Longest first, so that the lanes of a group end nearly together; of equal lengths the lower sequence first. Empty
/// sequences have no lane.
inline std::vector<Group> group_by_length(const Sequences& sequences) {
  std::vector<Lane> lanes;
  lanes.reserve(static_cast<std::size_t>(sequences.count()));
  for (Index s = 0; s < sequences.count(); ++s) {
    const Index length = sequences.offsets[s + 1] - sequences.offsets[s];
    if (length > 0) lanes.push_back({s, sequences.offsets[s], length});
  }
  std::stable_sort(lanes.begin(), lanes.end(), [](const Lane& a, const Lane& b) { return a.length > b.length; });
  std::vector<Group> groups((lanes.size() + kGroup - 1) / kGroup);
  for (std::size_t i = 0; i < lanes.size(); ++i) groups[i / kGroup].lane[i % kGroup] = lanes[i];
  return groups;
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

/// Throws std::invalid_argument where the arguments would lead outside the arrays.
void check_sequences(const EmissionSpec& emission, const Observations& x, const Sequences& sequences,
                     const Chain& chain);

}  // namespace mlcore::hmm
