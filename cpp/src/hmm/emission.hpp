// Emission densities behind one interface: tiles of the lanes' observations to log-densities, likelihoods and sums.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hmm/kernels.hpp"
#include "mlcore/base/buffer.hpp"
#include "mlcore/hmm/inference.hpp"
#include "mlcore/hmm/model.hpp"

namespace mlcore::hmm {

/// `steps` consecutive observations of each lane; lane l has the rows [row[l], row[l] + count[l]).
struct Tile {
  Index steps = 0;
  Index row[kGroup] = {};
  Index count[kGroup] = {};
  const std::int32_t* labels = nullptr;  ///< of all rows, or null
};

/// Conditional factors of one pattern of missing features, for every component.
struct MissingPattern {
  std::vector<Index> seen, absent;
  Buffer<double> lower;     ///< C x o(o+1)/2: inverse Cholesky factors of the observed block
  Buffer<double> constant;  ///< C
  Buffer<double> gain;      ///< C x m x o: regression of the absent on the seen features
  Buffer<double> rest;      ///< C x m x m: covariance that is left
};

/// Scratch memory of one thread.
struct Workspace {
  Buffer<double> x, y, missing, features, parts, mixed;
  std::map<std::string, MissingPattern> patterns;
};

/// Sums of one group of lanes: `lanes` still apart by lane, `plain` not.
struct Sums {
  Buffer<double> lanes, plain;
};

class Emission {
 public:
  explicit Emission(Index states) : states_(states) {}
  virtual ~Emission() = default;
  Emission(const Emission&) = delete;
  Emission& operator=(const Emission&) = delete;

  Index states() const noexcept { return states_; }
  /// Makes room for tiles of `steps`.
  virtual void reserve(Workspace& work, Index steps) const = 0;
  /// Track of log b_j. Beyond a lane's count: anything.
  virtual void log_density(const Tile& tile, Workspace& work, double* out) const = 0;
  /// Track of b_j e^{-shift}, labels applied, 0 beyond a lane's count; track of the shift.
  virtual void likelihood(const Tile& tile, Workspace& work, double* b, double* shift) const;

  /// Sizes of Sums; lanes is rows() x cols().
  virtual Index rows() const noexcept { return states_; }
  virtual Index cols() const noexcept = 0;
  virtual Index plain() const noexcept { return 0; }
  /// Adds a tile with its track of posteriors, which are 0 beyond a lane's count.
  virtual void add(const Tile& tile, Workspace& work, const double* gamma, Sums& sums) const = 0;
  /// Totals (lanes folded) to the arrays of the statistics.
  virtual void finish(const Buffer<double>& lanes, const Buffer<double>& plain, Statistics& out) const = 0;

 private:
  Index states_;
};

/// log_density with impossible states where labels say so.
void apply_labels(const Tile& tile, Index states, double* log_density) noexcept;

std::unique_ptr<Emission> make_emission(const EmissionSpec& spec, const Observations& x);

// One maker per family.
std::unique_ptr<Emission> make_tabulated(const EmissionSpec& spec, const Observations& x);
std::unique_ptr<Emission> make_categorical(const EmissionSpec& spec, const Observations& x);
std::unique_ptr<Emission> make_gaussian(const EmissionSpec& spec, const Observations& x);
std::unique_ptr<Emission> make_counts(const EmissionSpec& spec, const Observations& x);

/// The lanes' rows of X (d columns) as a track of d, zero beyond their counts.
void gather_rows(const Observations& x, const Tile& tile, double* track) noexcept;

}  // namespace mlcore::hmm
