// Poisson and multinomial counts: log b_j = sum_f x_f log p_jf + constant_j + what no state changes.
//
// A missing Poisson count is left out (its rate is added back); a multinomial row with a missing count is missing.
#include <algorithm>
#include <cmath>
#include <limits>

#include "hmm/emission.hpp"
#include "mlcore/base/errors.hpp"

namespace mlcore::hmm {
namespace {

// log 0 that stays 0 when multiplied by a count of 0; any product with a count of at least 1 is below kNever.
constexpr double kLogZero = -1e306;
constexpr double kNever = -1e300;

/// log Gamma(x + 1), x >= 0, without the global variable that std::lgamma writes. Stirling's series from 12 on.
double log_factorial(double x) noexcept {
  double product = 1;
  double y = x + 1;
  while (y < 12) product *= y++;
  const double r = 1 / (y * y);
  const double series = (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r * (1.0 / 1680 - r / 1188)))) / y;
  return (y - 0.5) * std::log(y) - y + 0.91893853320467274178 + series - std::log(product);
}

class Counts final : public Emission {
 public:
  Counts(const EmissionSpec& spec, const Observations& x)
      : Emission(spec.states),
        x_(x),
        d_(spec.features),
        poisson_(spec.family == Family::kPoisson),
        rates_(spec.probabilities),
        logs_({spec.states, d_}),
        constant_(Buffer<double>::zeros({spec.states})),
        log_factorials_(kTable) {
    for (Index j = 0; j < states(); ++j)
      for (Index f = 0; f < d_; ++f) {
        const double p = rates_[j * d_ + f];
        require(p >= 0, "rates and probabilities must not be negative");
        logs_[j * d_ + f] = p > 0 ? std::log(p) : kLogZero;
        if (poisson_) constant_[j] -= p;
      }
    for (Index i = 0; i < kTable; ++i) log_factorials_[i] = log_factorial(static_cast<double>(i));
  }

  void reserve(Workspace& work, Index steps) const override {
    work.x = Buffer<double>({steps, d_, kGroup});
    work.missing = Buffer<double>({steps, d_, kGroup});
    work.features = Buffer<double>({steps, cols(), kGroup});
  }
  void log_density(const Tile& tile, Workspace& work, double* out) const override {
    const Index k = states();
    gather(tile, work);
    density_kernels().linear(work.x.data(), d_, tile.steps, logs_.data(), constant_.data(), k, out);
    for (Index l = 0; l < kGroup; ++l)
      for (Index t = 0; t < tile.count[l]; ++t) {
        const double common = common_term(work, t, l);
        const double* missing = work.missing.data() + t * d_ * kGroup + l;
        double* row = out + t * k * kGroup + l;
        for (Index j = 0; j < k; ++j) {
          double value = row[j * kGroup] + common;
          if (poisson_)
            for (Index f = 0; f < d_; ++f) value += missing[f * kGroup] * rates_[j * d_ + f];
          row[j * kGroup] = value > kNever ? value : -std::numeric_limits<double>::infinity();
        }
      }
  }
  Index cols() const noexcept override { return 1 + d_; }
  Index plain() const noexcept override { return states() * d_; }
  void add(const Tile& tile, Workspace& work, const double* gamma, Sums& sums) const override {
    const Index k = states();
    if (gather(tile, work) && poisson_)
      for (Index l = 0; l < kGroup; ++l)
        for (Index t = 0; t < tile.count[l]; ++t)
          for (Index f = 0; f < d_; ++f)
            if (work.missing[(t * d_ + f) * kGroup + l] != 0)
              for (Index j = 0; j < k; ++j)
                sums.plain[j * d_ + f] += gamma[(t * k + j) * kGroup + l] * rates_[j * d_ + f];
    density_kernels().features(work.x.data(), d_, tile.steps, 0, work.features.data());
    track_kernels().add_outer(gamma, k, work.features.data(), cols(), tile.steps, sums.lanes.data());
  }
  void finish(const Buffer<double>& lanes, const Buffer<double>& plain, Statistics& out) const override {
    out.post = Buffer<double>({states()});
    out.obs = Buffer<double>({states(), d_});
    for (Index j = 0; j < states(); ++j) {
      out.post[j] = lanes[j * (d_ + 1)];
      for (Index f = 0; f < d_; ++f) out.obs[j * d_ + f] = lanes[j * (d_ + 1) + 1 + f] + plain[j * d_ + f];
    }
  }

 private:
  static constexpr Index kTable = 256;

  double log_factorial_of(double x) const noexcept {
    if (x >= 0 && x < static_cast<double>(kTable) && x == std::floor(x)) return log_factorials_[static_cast<Index>(x)];
    return log_factorial(x);
  }
  double common_term(const Workspace& work, Index t, Index l) const noexcept {
    const double* x = work.x.data() + t * d_ * kGroup + l;
    double sum = 0, total = 0;
    for (Index f = 0; f < d_; ++f) {
      sum -= log_factorial_of(x[f * kGroup]);
      total += x[f * kGroup];
    }
    return poisson_ ? sum : sum + log_factorial_of(total);
  }
  /// True when something is missing.
  bool gather(const Tile& tile, Workspace& work) const {
    gather_rows(x_, tile, work.x.data());
    density_kernels().split_missing(work.x.data(), d_, tile.steps, work.missing.data());
    bool any = false;
    for (Index q = 0; q < tile.steps * d_ * kGroup; ++q) any = any || work.missing[q] != 0;
    if (!any || poisson_) return any;
    for (Index q = 0; q < tile.steps; ++q)
      for (Index l = 0; l < kGroup; ++l) {
        const Index first = q * d_ * kGroup + l;
        bool absent = false;
        for (Index f = 0; f < d_; ++f) absent = absent || work.missing[first + f * kGroup] != 0;
        if (absent)
          for (Index f = 0; f < d_; ++f) work.x[first + f * kGroup] = 0;
      }
    return any;
  }

  Observations x_;
  Index d_;
  bool poisson_;
  const double* rates_;
  Buffer<double> logs_, constant_, log_factorials_;
};

}  // namespace

std::unique_ptr<Emission> make_counts(const EmissionSpec& spec, const Observations& x) {
  return std::make_unique<Counts>(spec, x);
}

}  // namespace mlcore::hmm
