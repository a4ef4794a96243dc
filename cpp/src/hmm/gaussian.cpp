#include "hmm/gaussian.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "hmm/cholesky.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"

namespace mlcore::hmm {
namespace {

const double kHalfLog2Pi = 0.5 * std::log(2 * std::numbers::pi);

template <class Fn>
void for_each_observation(const Tile& tile, Fn&& fn) {
  for (Index l = 0; l < kGroup; ++l)
    for (Index t = 0; t < tile.count[l]; ++t) fn(t, l);
}

bool is_incomplete(const double* x, Index d) noexcept {
  for (Index f = 0; f < d; ++f)
    if (x[f * kGroup] != x[f * kGroup]) return true;
  return false;
}

}  // namespace

double GaussianComponents::covariance(Index c, Index f, Index g) const noexcept {
  const double* v = spec_.covars;
  switch (spec_.covariance) {
    case CovarianceType::kSpherical:
      return f == g ? v[c] : 0.0;
    case CovarianceType::kDiagonal:
      return f == g ? v[c * d_ + f] : 0.0;
    case CovarianceType::kFull:
      return v[(c * d_ + f) * d_ + g];
    default:
      return v[((c / spec_.parts) * d_ + f) * d_ + g];  // one matrix a state of a mixture; parts is 1 below
  }
}

GaussianComponents::GaussianComponents(const EmissionSpec& spec, const Observations& x)
    : spec_(spec),
      x_(x),
      count_(checked_product({spec.states, spec.parts})),
      d_(spec.features),
      full_(spec.covariance == CovarianceType::kFull || spec.covariance == CovarianceType::kTied),
      whitened_(spec.covariance == CovarianceType::kTied && spec.family == Family::kGaussian),
      shift_(Buffer<double>::zeros({d_})),
      means_({count_, d_}),
      offset_({count_, d_}),
      constant_({count_}) {
  if (whitened_) spec_.parts = count_;  // one matrix for all components
  for (Index f = 0; f < d_; ++f) {
    double sum = 0;
    for (Index c = 0; c < count_; ++c) sum += spec.means[c * d_ + f];
    shift_[f] = std::isfinite(sum) ? sum / static_cast<double>(count_) : 0.0;
    for (Index c = 0; c < count_; ++c) means_[c * d_ + f] = spec.means[c * d_ + f] - shift_[f];
  }
  const double normal = -static_cast<double>(d_) * kHalfLog2Pi;
  if (!full_) {
    factor_ = Buffer<double>({count_, d_});
    log_factor_ = Buffer<double>({count_, d_});
    for (Index c = 0; c < count_; ++c) {
      constant_[c] = normal;
      for (Index f = 0; f < d_; ++f) {
        const double variance = covariance(c, f, f);
        require(variance > 0 && std::isfinite(variance), "covars must be positive and finite");
        const double factor = 1.0 / std::sqrt(variance);
        factor_[c * d_ + f] = factor;
        offset_[c * d_ + f] = -means_[c * d_ + f] * factor;
        log_factor_[c * d_ + f] = -0.5 * std::log(variance) - kHalfLog2Pi;
        constant_[c] -= 0.5 * std::log(variance);
      }
    }
    return;
  }
  const Index size = packed_size(d_), factors = whitened_ ? 1 : count_;
  lower_ = Buffer<double>({factors, size});
  for (Index c = 0; c < count_; ++c) {
    double* lower = lower_.data() + (whitened_ ? 0 : c) * size;
    if (c == 0 || !whitened_) {
      require(packed_cholesky(
                  d_, [&](Index f, Index g) { return covariance(c, f, g); }, lower),
              "covars must be symmetric and positive definite");
      packed_inverse(d_, lower);
    }
    constant_[c] = normal;
    for (Index f = 0; f < d_; ++f) {
      const double* row = lower + packed_row(f);
      constant_[c] += std::log(row[f]);
      double sum = 0;
      for (Index g = 0; g <= f; ++g) sum -= row[g] * means_[c * d_ + g];
      offset_[c * d_ + f] = sum;
    }
  }
  if (whitened_) {
    factor_ = Buffer<double>({count_, d_});
    std::fill(factor_.begin(), factor_.end(), 1.0);
  }
}

void GaussianComponents::reserve(Workspace& work, Index steps) const {
  work.x = Buffer<double>({steps, d_, kGroup});
  work.y = Buffer<double>({steps, d_, kGroup});
  work.features = Buffer<double>({steps, cols(), kGroup});
}

bool GaussianComponents::gather(const Tile& tile, Workspace& work) const {
  gather_rows(x_, tile, work.x.data());
  return density_kernels().center(work.x.data(), d_, tile.steps, shift_.data());
}

void GaussianComponents::log_density(const Tile& tile, Workspace& work, double* out) const {
  const DensityKernels& kernels = density_kernels();
  const bool missing = gather(tile, work);
  const double* x = work.x.data();
  if (!full_) {
    if (missing)
      kernels.squares_observed(x, d_, tile.steps, factor_.data(), offset_.data(), log_factor_.data(), constant_.data(),
                               count_, out);
    else
      kernels.squares(x, d_, tile.steps, factor_.data(), offset_.data(), constant_.data(), count_, out);
    return;
  }
  if (whitened_) {
    kernels.whiten(x, d_, tile.steps, lower_.data(), work.y.data());
    kernels.squares(work.y.data(), d_, tile.steps, factor_.data(), offset_.data(), constant_.data(), count_, out);
  } else {
    kernels.triangular(x, d_, tile.steps, lower_.data(), offset_.data(), constant_.data(), count_, out);
  }
  if (missing) density_of_incomplete(tile, work, out);
}

const MissingPattern& GaussianComponents::pattern_of(const double* x, Workspace& work) const {
  std::string key(static_cast<std::size_t>(d_), '0');
  for (Index f = 0; f < d_; ++f)
    if (x[f * kGroup] != x[f * kGroup]) key[static_cast<std::size_t>(f)] = '1';
  const auto [place, is_new] = work.patterns.try_emplace(std::move(key));
  MissingPattern& pattern = place->second;
  if (!is_new) return pattern;
  for (Index f = 0; f < d_; ++f)
    (place->first[static_cast<std::size_t>(f)] == '1' ? pattern.absent : pattern.seen).push_back(f);
  const auto o = static_cast<Index>(pattern.seen.size()), m = static_cast<Index>(pattern.absent.size());
  pattern.lower = Buffer<double>({count_, packed_size(o)});
  pattern.constant = Buffer<double>({count_});
  pattern.gain = Buffer<double>({count_, m, o});
  pattern.rest = Buffer<double>({count_, m, m});
  const auto seen = [&](Index i) { return pattern.seen[static_cast<std::size_t>(i)]; };
  const auto absent = [&](Index i) { return pattern.absent[static_cast<std::size_t>(i)]; };
  Buffer<double> half({m, std::max<Index>(o, 1)});
  for (Index c = 0; c < count_; ++c) {
    double* lower = pattern.lower.data() + c * packed_size(o);
    packed_cholesky(o, [&](Index i, Index j) { return covariance(c, seen(i), seen(j)); }, lower);
    packed_inverse(o, lower);
    // constant_ may hold more than the normaliser (log-weights): keep that.
    double whole = -static_cast<double>(d_) * kHalfLog2Pi;
    const double* complete = lower_.data() + (whitened_ ? 0 : c) * packed_size(d_);
    for (Index f = 0; f < d_; ++f) whole += std::log(complete[packed_row(f) + f]);
    double part = -static_cast<double>(o) * kHalfLog2Pi;
    for (Index i = 0; i < o; ++i) part += std::log(lower[packed_row(i) + i]);
    pattern.constant[c] = constant_[c] - whole + part;
    // half = inv(L) S_om, so that S_mo inv(S_oo) S_om = half' half and the gain is half' inv(L).
    for (Index a = 0; a < m; ++a)
      for (Index i = 0; i < o; ++i) {
        double sum = 0;
        for (Index j = 0; j <= i; ++j) sum += lower[packed_row(i) + j] * covariance(c, seen(j), absent(a));
        half[a * o + i] = sum;
      }
    for (Index a = 0; a < m; ++a) {
      for (Index j = 0; j < o; ++j) {
        double sum = 0;
        for (Index i = j; i < o; ++i) sum += half[a * o + i] * lower[packed_row(i) + j];
        pattern.gain[(c * m + a) * o + j] = sum;
      }
      for (Index b = 0; b < m; ++b) {
        double sum = covariance(c, absent(a), absent(b));
        for (Index i = 0; i < o; ++i) sum -= half[a * o + i] * half[b * o + i];
        pattern.rest[(c * m + a) * m + b] = sum;
      }
    }
  }
  return pattern;
}

void GaussianComponents::density_of_incomplete(const Tile& tile, Workspace& work, double* out) const {
  for_each_observation(tile, [&](Index t, Index l) {
    const double* x = work.x.data() + t * d_ * kGroup + l;
    if (!is_incomplete(x, d_)) return;
    const MissingPattern& pattern = pattern_of(x, work);
    const auto o = static_cast<Index>(pattern.seen.size());
    for (Index c = 0; c < count_; ++c) {
      const double* lower = pattern.lower.data() + c * packed_size(o);
      double distance = 0;
      for (Index i = 0; i < o; ++i) {
        double y = 0;
        for (Index j = 0; j <= i; ++j) {
          const Index f = pattern.seen[static_cast<std::size_t>(j)];
          y += lower[packed_row(i) + j] * (x[f * kGroup] - means_[c * d_ + f]);
        }
        distance += y * y;
      }
      out[(t * count_ + c) * kGroup + l] = pattern.constant[c] - 0.5 * distance;
    }
  });
}

void GaussianComponents::add(const Tile& tile, Workspace& work, const double* responsibility, Sums& sums) const {
  const DensityKernels& kernels = density_kernels();
  if (gather(tile, work)) add_incomplete(tile, work, responsibility, sums);
  kernels.features(work.x.data(), d_, tile.steps, full_ ? 2 : 1, work.features.data());
  track_kernels().add_outer(responsibility, count_, work.features.data(), cols(), tile.steps, sums.lanes.data());
}

// Adds the expectations of what is missing and sets the features to 0 where the lane sums would see a NaN. With
// products the whole observation goes the slow way, with squares its missing features only.
void GaussianComponents::add_incomplete(const Tile& tile, Workspace& work, const double* responsibility,
                                        Sums& sums) const {
  double* first = sums.plain.data();
  double* second = first + count_ * d_;
  Buffer<double> guess({d_});
  for_each_observation(tile, [&](Index t, Index l) {
    double* x = work.x.data() + t * d_ * kGroup + l;
    if (!is_incomplete(x, d_)) return;
    if (!full_) {
      for (Index f = 0; f < d_; ++f) {
        if (x[f * kGroup] == x[f * kGroup]) continue;
        for (Index c = 0; c < count_; ++c) {
          const double g = responsibility[(t * count_ + c) * kGroup + l], mean = means_[c * d_ + f];
          first[c * d_ + f] += g * mean;
          second[c * d_ + f] += g * (mean * mean + covariance(c, f, f));
        }
        x[f * kGroup] = 0;
      }
      return;
    }
    const MissingPattern& pattern = pattern_of(x, work);
    const auto o = static_cast<Index>(pattern.seen.size()), m = static_cast<Index>(pattern.absent.size());
    for (Index c = 0; c < count_; ++c) {
      const double g = responsibility[(t * count_ + c) * kGroup + l];
      const double* mean = means_.data() + c * d_;
      for (const Index f : pattern.seen) guess[f] = x[f * kGroup];
      for (Index a = 0; a < m; ++a) {
        const Index f = pattern.absent[static_cast<std::size_t>(a)];
        guess[f] = mean[f];
        for (Index i = 0; i < o; ++i) {
          const Index h = pattern.seen[static_cast<std::size_t>(i)];
          guess[f] += pattern.gain[(c * m + a) * o + i] * (x[h * kGroup] - mean[h]);
        }
      }
      for (Index f = 0; f < d_; ++f) {
        first[c * d_ + f] += g * guess[f];
        for (Index h = 0; h < d_; ++h) second[(c * d_ + f) * d_ + h] += g * guess[f] * guess[h];
      }
      for (Index a = 0; a < m; ++a)
        for (Index b = 0; b < m; ++b)
          second[(c * d_ + pattern.absent[static_cast<std::size_t>(a)]) * d_ +
                 pattern.absent[static_cast<std::size_t>(b)]] += g * pattern.rest[(c * m + a) * m + b];
    }
    for (Index f = 0; f < d_; ++f) x[f * kGroup] = 0;
  });
}

void GaussianComponents::finish(const Buffer<double>& lanes, const Buffer<double>& plain, Buffer<double>& post,
                                Statistics& out) const {
  const Index n = cols();
  const double* second = plain.data() + count_ * d_;
  post = Buffer<double>({count_});
  out.shift = Buffer<double>({d_});
  std::copy_n(shift_.data(), d_, out.shift.data());
  out.obs = Buffer<double>({count_, d_});
  (full_ ? out.obs_obs : out.obs2) = full_ ? Buffer<double>({count_, d_, d_}) : Buffer<double>({count_, d_});
  for (Index c = 0; c < count_; ++c) {
    const double* row = lanes.data() + c * n;
    post[c] = row[0];
    for (Index f = 0; f < d_; ++f) out.obs[c * d_ + f] = row[1 + f] + plain[c * d_ + f];
    row += 1 + d_;
    if (!full_) {
      for (Index f = 0; f < d_; ++f) out.obs2[c * d_ + f] = row[f] + second[c * d_ + f];
      continue;
    }
    for (Index f = 0; f < d_; ++f)
      for (Index g = 0; g < d_; ++g) {
        const double sum = row[f >= g ? packed_row(f) + g : packed_row(g) + f];
        out.obs_obs[(c * d_ + f) * d_ + g] = sum + second[(c * d_ + f) * d_ + g];
      }
  }
}

namespace {

class Gaussian final : public Emission {
 public:
  Gaussian(const EmissionSpec& spec, const Observations& x) : Emission(spec.states), components_(spec, x) {
    if (spec.offsets != nullptr)
      for (Index j = 0; j < spec.states; ++j) components_.add_constant(j, spec.offsets[j]);
  }
  void reserve(Workspace& work, Index steps) const override { components_.reserve(work, steps); }
  void log_density(const Tile& tile, Workspace& work, double* out) const override {
    components_.log_density(tile, work, out);
  }
  Index cols() const noexcept override { return components_.cols(); }
  Index plain() const noexcept override { return components_.plain(); }
  void add(const Tile& tile, Workspace& work, const double* gamma, Sums& sums) const override {
    components_.add(tile, work, gamma, sums);
  }
  void finish(const Buffer<double>& lanes, const Buffer<double>& plain, Statistics& out) const override {
    components_.finish(lanes, plain, out.post, out);
  }

 private:
  GaussianComponents components_;
};

/// b_j = sum_m w_jm N(x; mu_jm, Sigma_jm).
class Mixture final : public Emission {
 public:
  Mixture(const EmissionSpec& spec, const Observations& x)
      : Emission(spec.states), parts_(spec.parts), components_(spec, x) {
    for (Index c = 0; c < components_.count(); ++c) components_.add_constant(c, std::log(spec.probabilities[c]));
  }
  void reserve(Workspace& work, Index steps) const override {
    components_.reserve(work, steps);
    work.parts = Buffer<double>({steps, components_.count(), kGroup});
    work.mixed = Buffer<double>({steps, states() + 1, kGroup});
  }
  void log_density(const Tile& tile, Workspace& work, double* out) const override {
    // Each state with its own shift: a state far from the observation keeps its precision.
    weigh_by_state(tile, work);
    density_kernels().add_parts(work.parts.data(), states(), parts_, tile.steps, out);
    density_kernels().to_logs(out, work.mixed.data(), tile.steps * states());
  }
  void likelihood(const Tile& tile, Workspace& work, double* b, double* shift) const override {
    if (tile.labels != nullptr) return Emission::likelihood(tile, work, b, shift);
    weigh(tile, work, shift);
    density_kernels().add_parts(work.parts.data(), states(), parts_, tile.steps, b);
  }
  Index rows() const noexcept override { return components_.count(); }
  Index cols() const noexcept override { return components_.cols(); }
  Index plain() const noexcept override { return components_.plain(); }
  void add(const Tile& tile, Workspace& work, const double* gamma, Sums& sums) const override {
    if (tile.labels != nullptr)
      weigh_by_state(tile, work);
    else
      weigh(tile, work, work.mixed.data() + tile.steps * states() * kGroup);
    density_kernels().add_parts(work.parts.data(), states(), parts_, tile.steps, work.mixed.data());
    density_kernels().share(work.parts.data(), work.mixed.data(), gamma, states(), parts_, tile.steps);
    components_.add(tile, work, work.parts.data(), sums);
  }
  void finish(const Buffer<double>& lanes, const Buffer<double>& plain, Statistics& out) const override {
    components_.finish(lanes, plain, out.post_mix, out);
    out.post = Buffer<double>::zeros({states()});
    for (Index c = 0; c < components_.count(); ++c) out.post[c / parts_] += out.post_mix[c];
  }

 private:
  /// work.parts <- w_jm N_jm e^{-shift}.
  void weigh(const Tile& tile, Workspace& work, double* shift) const {
    components_.log_density(tile, work, work.parts.data());
    double valid[kGroup];
    for (Index l = 0; l < kGroup; ++l) valid[l] = static_cast<double>(tile.count[l]);
    density_kernels().exponentiate(work.parts.data(), components_.count(), tile.steps, valid, shift);
  }
  /// The same with a shift for each state, which a label may force upon an observation far away: a track of
  /// steps * states planes.
  void weigh_by_state(const Tile& tile, Workspace& work) const {
    components_.log_density(tile, work, work.parts.data());
    double valid[kGroup];
    std::fill_n(valid, kGroup, static_cast<double>(tile.steps * states()));
    density_kernels().exponentiate(work.parts.data(), parts_, tile.steps * states(), valid, work.mixed.data());
  }

  Index parts_;
  GaussianComponents components_;
};

}  // namespace

std::unique_ptr<Emission> make_gaussian(const EmissionSpec& spec, const Observations& x) {
  if (spec.family == Family::kGaussianMixture) return std::make_unique<Mixture>(spec, x);
  return std::make_unique<Gaussian>(spec, x);
}

}  // namespace mlcore::hmm
