// The gradient pairs of one tree: chooses their layout and scales and rounds the gradients (gradient_pairs.hpp).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/runtime/memory.hpp"
#include "mlcore/runtime/random.hpp"
#include "tree/histogram.kernels.hpp"

namespace mlcore::tree {

class GradientPairs {
 public:
  explicit GradientPairs(Index rows) : pairs_(rows) {
    runtime::prefer_huge_pages(pairs_.data(), rows * static_cast<Index>(sizeof(std::uint64_t)));
  }

  /// Pairs of all rows, or of those of `subset`. hessians of one element: constant.
  /// phase(tasks, nanoseconds, fn) runs fn(task) for every task.
  template <class Phase>
  void quantise(const TreeKernels& kernel, VectorView<const float> gradients, VectorView<const float> hessians,
                VectorView<const std::uint32_t> subset, std::uint64_t seed, Phase&& phase) {
    const bool all = subset.empty(), constant = hessians.size == 1;
    const Index m = all ? gradients.size : subset.size;
    const Index blocks = ceil_div(m, kRows);
    // fn(gradients, hessians or null, first, count) on a block; the rows of a subset are gathered.
    const auto with_block = [&](Index b, auto&& fn) {
      const Index first = b * kRows, count = std::min(kRows, m - first);
      if (all) {
        fn(gradients.data + first, constant ? nullptr : hessians.data + first, first, count);
        return;
      }
      float g[kRows], h[kRows];
      for (Index i = 0; i < count; ++i) {
        const auto row = static_cast<Index>(subset[first + i]);
        g[i] = gradients[row];
        if (!constant) h[i] = hessians[row];
      }
      fn(static_cast<const float*>(g), constant ? nullptr : static_cast<const float*>(h), first, count);
    };
    // Row blocks of fixed size, added in order: the scale has the same bits for any number of threads.
    std::vector<GradientBounds> bounds(static_cast<std::size_t>(blocks));
    phase(blocks, 1.5 * static_cast<double>(m), [&](Index b) {
      with_block(b, [&](const float* g, const float* h, Index, Index count) {
        bounds[static_cast<std::size_t>(b)] = kernel.bounds(g, h, count);
      });
    });
    GradientBounds whole;
    for (const GradientBounds& b : bounds) {
      whole.gradient_sum += b.gradient_sum;
      whole.hessian_sum += b.hessian_sum;
      whole.gradient_max = std::max(whole.gradient_max, b.gradient_max);
      whole.hessian_max = std::max(whole.hessian_max, b.hessian_max);
    }
    require(std::isfinite(whole.gradient_sum) && std::isfinite(whole.hessian_sum),
            "gradients and hessians must be finite");
    choose_layout(whole, m, constant);
    const double mean_steps = whole.gradient_sum * quantiser_.gradient_scale / static_cast<double>(m);
    const bool nearest = mean_steps >= kNearestSteps;
    sums_are_values_ = !nearest && mean_steps >= kValueSteps;
    phase(blocks, 3.0 * static_cast<double>(m), [&](Index b) {
      std::uint16_t random[2 * kRows];
      if (!nearest) {
        runtime::random::Stream stream(seed, runtime::random::Purpose::kNoise, b);
        for (Index i = 0; i < 2 * kRows; i += 4) {
          const std::uint64_t word = stream.next();
          std::memcpy(random + i, &word, sizeof word);
        }
      }
      with_block(b, [&](const float* g, const float* h, Index first, Index count) {
        std::uint64_t own[kRows];
        std::uint64_t* out = all ? pairs_.data() + first : own;
        kernel.quantise(g, h, nearest ? nullptr : random, count, quantiser_, out);
        if (!all)
          for (Index i = 0; i < count; ++i) pairs_[static_cast<Index>(subset[first + i])] = own[i];
      });
    });
  }

  const std::uint64_t* data() const noexcept { return pairs_.data(); }
  const Quantiser& quantiser() const noexcept { return quantiser_; }
  const PairLayout& layout() const noexcept { return quantiser_.layout; }
  /// The grid is fine enough for leaves to take their values from rounded sums.
  bool sums_are_values() const noexcept { return sums_are_values_; }

 private:
  static constexpr Index kRows = 1024;  // of a block, which has its own stream of random numbers
  // Steps of the grid that the mean |g| spans: from here on rounding to the nearest step is exact enough, or values of
  // leaves may come from rounded sums (relative error of a leaf of m rows: about 0.3 / (steps sqrt(m))).
  static constexpr double kNearestSteps = 4096.0;
  static constexpr double kValueSteps = 200.0;

  // The widest row block whose grid still resolves the mean gradient into 64 steps.
  void choose_layout(const GradientBounds& whole, Index m, bool constant) {
    PairLayout& layout = quantiser_.layout;
    double &gradient_scale = quantiser_.gradient_scale, &hessian_scale = quantiser_.hessian_scale;
    constexpr double kRounding = 1.0 - 0x1p-20;  // of products in single precision
    for (int bits = 14; bits >= 10; --bits) {
      const Index rows_of_block = (Index{1} << bits) - 1;
      if (bits > 10 && (rows_of_block >> 1) >= m) continue;
      layout.block_rows = rows_of_block;
      layout.count_shift = 64 - bits;
      layout.gradient_bits = constant ? std::min(30, 64 - bits) : (64 - bits) / 2;
      layout.gradient_shift = constant ? 0 : 64 - bits - layout.gradient_bits;
      const auto block = static_cast<double>(rows_of_block);
      const double g = std::min(whole.gradient_sum, block * whole.gradient_max);
      const double h = std::min(whole.hessian_sum, block * whole.hessian_max);
      gradient_scale = g > 0.0 ? kRounding * (std::ldexp(1.0, layout.gradient_bits - 1) - 1.0 - block) / g : 0.0;
      hessian_scale =
          constant || !(h > 0.0) ? 0.0 : kRounding * (std::ldexp(1.0, layout.gradient_shift) - 1.0 - block) / h;
      if (whole.gradient_sum * gradient_scale >= 64.0 * static_cast<double>(m)) break;
    }
    // Tiny gradients would need a scale beyond single precision.
    gradient_scale = static_cast<double>(static_cast<float>(std::min(gradient_scale, 1e38)));
    hessian_scale = static_cast<double>(static_cast<float>(std::min(hessian_scale, 1e38)));
  }

  Buffer<std::uint64_t> pairs_;
  Quantiser quantiser_;
  bool sums_are_values_ = false;
};

}  // namespace mlcore::tree
