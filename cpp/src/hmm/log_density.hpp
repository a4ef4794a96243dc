// log b_j(x_t) of one sequence, labels applied: what the decoders outside the lanes start from.
#pragma once
#include "hmm/emission.hpp"
#include "hmm/groups.hpp"

namespace mlcore::hmm {

/// T x K.
class SequenceDensity {
 public:
  SequenceDensity(const Emission& emission, const std::int32_t* labels)
      : emission_(emission),
        labels_(labels),
        tile_(tile_steps(emission.states())),
        track_({tile_, emission.states(), kGroup}) {
    emission.reserve(work_, tile_);
  }

  /// Eight stretches of the sequence at a time, one in each lane.
  Buffer<double> of(Index row, Index length) {
    const Index k = emission_.states();
    Buffer<double> out({length, k});
    for (Index first = 0; first < length; first += tile_ * kGroup) {
      Tile tile;
      tile.steps = tile_;
      tile.labels = labels_;
      double* streams[kGroup];
      Index counts[kGroup];
      for (Index l = 0; l < kGroup; ++l) {
        const Index begin = std::min(first + l * tile_, length);
        tile.row[l] = row + begin;
        tile.count[l] = std::min(tile_, length - begin);
        streams[l] = out.data() + begin * k;
        counts[l] = tile.count[l] * k;
      }
      emission_.log_density(tile, work_, track_.data());
      apply_labels(tile, k, track_.data());
      track_kernels().deinterleave(track_.data(), tile_ * k, counts, streams);
    }
    return out;
  }

 private:
  const Emission& emission_;
  const std::int32_t* labels_;
  Index tile_;
  Buffer<double> track_;
  Workspace work_;
};

}  // namespace mlcore::hmm
