#include "hmm/emission.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"

namespace mlcore::hmm {

namespace {
constexpr double kNever = -std::numeric_limits<double>::infinity();
}

void apply_labels(const Tile& tile, Index states, double* log_density) noexcept {
  if (tile.labels == nullptr) return;
  for (Index l = 0; l < kGroup; ++l)
    for (Index t = 0; t < tile.count[l]; ++t) {
      const std::int32_t label = tile.labels[tile.row[l] + t];
      if (label < 0) continue;
      for (Index j = 0; j < states; ++j)
        if (j != label) log_density[(t * states + j) * kGroup + l] = kNever;
    }
}

void Emission::likelihood(const Tile& tile, Workspace& work, double* b, double* shift) const {
  log_density(tile, work, b);
  apply_labels(tile, states_, b);
  double valid[kGroup];
  for (Index l = 0; l < kGroup; ++l) valid[l] = static_cast<double>(tile.count[l]);
  density_kernels().exponentiate(b, states_, tile.steps, valid, shift);
}

void gather_rows(const Observations& x, const Tile& tile, double* track) noexcept {
  Index counts[kGroup];
  for (Index l = 0; l < kGroup; ++l) counts[l] = tile.count[l] * x.cols;
  const auto streams_of = [&](auto* data, auto** streams) {
    for (Index l = 0; l < kGroup; ++l) streams[l] = data + tile.row[l] * x.cols;
  };
  if (x.f32 != nullptr) {
    const float* streams[kGroup];
    streams_of(x.f32, streams);
    track_kernels().interleave_f32(streams, counts, tile.steps * x.cols, track);
  } else {
    const double* streams[kGroup];
    streams_of(x.f64, streams);
    track_kernels().interleave_f64(streams, counts, tile.steps * x.cols, track);
  }
}

namespace {

/// Log-densities that the caller has worked out: any family at all.
class Tabulated final : public Emission {
 public:
  Tabulated(const EmissionSpec& spec) : Emission(spec.states), table_(spec.log_density) {}

  void reserve(Workspace& work, Index steps) const override {
    work.features = Buffer<double>({steps, kGroup});
    std::fill(work.features.begin(), work.features.end(), 1.0);
  }
  void log_density(const Tile& tile, Workspace&, double* out) const override {
    const Index k = states();
    const double* streams[kGroup];
    Index counts[kGroup];
    for (Index l = 0; l < kGroup; ++l) {
      streams[l] = table_ + tile.row[l] * k;
      counts[l] = tile.count[l] * k;
    }
    track_kernels().interleave_f64(streams, counts, tile.steps * k, out);
  }
  Index cols() const noexcept override { return 1; }
  void add(const Tile& tile, Workspace& work, const double* gamma, Sums& sums) const override {
    track_kernels().add_outer(gamma, states(), work.features.data(), 1, tile.steps, sums.lanes.data());
  }
  void finish(const Buffer<double>& lanes, const Buffer<double>&, Statistics& out) const override {
    out.post = Buffer<double>({states()});
    std::copy_n(lanes.data(), states(), out.post.data());
  }

 private:
  const double* table_;
};

/// One of M symbols. The likelihoods come from a table that is exponentiated once, not once an observation. Counts of
/// few symbols are sums of outer products with their indicators, those of many go to the rows of a table.
class Categorical final : public Emission {
 public:
  Categorical(const EmissionSpec& spec, const Observations& x)
      : Emission(spec.states),
        symbols_(x.symbols),
        count_(spec.parts),
        stride_(round_up(spec.states, kGroup)),
        logs_(Buffer<double>::zeros({(count_ + 2) * states() + kGroup})),
        table_(Buffer<double>::zeros({(count_ + 2) * states() + kGroup})),
        shifts_(Buffer<double>::zeros({count_ + 2})) {
    const Index k = states();
    std::fill_n(table_.data() + count_ * k, k, 1.0);  // a missing symbol
    for (Index m = 0; m < count_; ++m) {
      double most = 0.0;
      for (Index j = 0; j < k; ++j) most = std::max(most, spec.probabilities[j * count_ + m]);
      for (Index j = 0; j < k; ++j) {
        const double p = spec.probabilities[j * count_ + m];
        logs_[m * k + j] = std::log(p);
        table_[m * k + j] = most > 0 ? p / most : 0.0;
      }
      shifts_[m] = most > 0 ? std::log(most) : 0.0;
    }
  }

  void reserve(Workspace& work, Index steps) const override {
    if (is_small()) work.features = Buffer<double>({steps, count_ + 1, kGroup});
  }
  void log_density(const Tile& tile, Workspace&, double* out) const override {
    look_up(tile, logs_.data(), out, nullptr);
  }
  void likelihood(const Tile& tile, Workspace& work, double* b, double* shift) const override {
    if (tile.labels != nullptr) return Emission::likelihood(tile, work, b, shift);
    look_up(tile, table_.data(), b, shift);
  }
  Index cols() const noexcept override { return is_small() ? count_ + 1 : 0; }
  Index plain() const noexcept override { return is_small() ? 0 : (count_ + 2) * stride_; }
  void add(const Tile& tile, Workspace& work, const double* gamma, Sums& sums) const override {
    const std::int64_t* streams[kGroup];
    for (Index l = 0; l < kGroup; ++l) streams[l] = symbols_ + tile.row[l];
    if (is_small()) {
      symbol_kernels().indicate(streams, tile.count, tile.steps, count_, work.features.data());
      track_kernels().add_outer(gamma, states(), work.features.data(), count_ + 1, tile.steps, sums.lanes.data());
    } else {
      symbol_kernels().add_symbols(streams, tile.count, tile.steps, gamma, count_, states(), stride_,
                                   sums.plain.data());
    }
  }
  void finish(const Buffer<double>& lanes, const Buffer<double>& plain, Statistics& out) const override {
    const Index k = states();
    out.post = Buffer<double>({k});
    out.obs = Buffer<double>({k, count_});
    for (Index j = 0; j < k; ++j) {
      if (is_small()) {
        out.post[j] = lanes[j * (count_ + 1)];
        std::copy_n(lanes.data() + j * (count_ + 1) + 1, count_, out.obs.data() + j * count_);
        continue;
      }
      double total = plain[count_ * stride_ + j];
      for (Index m = 0; m < count_; ++m) total += out.obs[j * count_ + m] = plain[m * stride_ + j];
      out.post[j] = total;
    }
  }

 private:
  static constexpr Index kFewSymbols = 8;

  bool is_small() const noexcept { return count_ <= kFewSymbols; }
  void look_up(const Tile& tile, const double* table, double* out, double* shift) const {
    const std::int64_t* streams[kGroup];
    for (Index l = 0; l < kGroup; ++l) streams[l] = symbols_ + tile.row[l];
    symbol_kernels().look_up(streams, tile.count, tile.steps, table, shifts_.data(), count_, states(), out, shift);
  }

  const std::int64_t* symbols_;
  Index count_, stride_;
  Buffer<double> logs_, table_, shifts_;
};

}  // namespace

std::unique_ptr<Emission> make_tabulated(const EmissionSpec& spec, const Observations&) {
  return std::make_unique<Tabulated>(spec);
}

std::unique_ptr<Emission> make_categorical(const EmissionSpec& spec, const Observations& x) {
  require(x.symbols != nullptr, "categorical emissions need symbols of 64-bit integers");
  for (Index i = 0; i < x.rows; ++i) require(x.symbols[i] < spec.parts, "symbol beyond the emission probabilities");
  return std::make_unique<Categorical>(spec, x);
}

std::unique_ptr<Emission> make_emission(const EmissionSpec& spec, const Observations& x) {
  require(spec.states > 0, "at least one state is needed");
  switch (spec.family) {
    case Family::kLogDensity:
      return make_tabulated(spec, x);
    case Family::kCategorical:
      return make_categorical(spec, x);
    default:
      break;
  }
  require(x.f32 != nullptr || x.f64 != nullptr, "this emission needs floating-point observations");
  require(x.cols == spec.features, "X does not fit the emission parameters");
  if (spec.family == Family::kPoisson || spec.family == Family::kMultinomial) return make_counts(spec, x);
  return make_gaussian(spec, x);
}

}  // namespace mlcore::hmm
