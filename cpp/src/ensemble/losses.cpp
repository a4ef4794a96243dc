#include "mlcore/ensemble/losses.hpp"

#include <algorithm>
#include <vector>

#include "ensemble/losses.kernels.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/parallel.hpp"

namespace mlcore::ensemble {

namespace {

constexpr double kNsPerRow = 5.0;
constexpr Index kBlocksPerTask = 8;

const LossKernels& kernels() { MLCORE_SELECT_KERNELS(loss_kernels) }

template <class T>
void require_outputs(const MatrixView<T>& m, Index outputs, Index n, const char* message) {
  require(m.rows == outputs && m.cols == n && (m.col_stride == 1 || n <= 1), message);
}

int threads_of(int n_threads, Index n, Index outputs) {
  return runtime::threads_for_work(runtime::resolve_threads(n_threads).threads,
                                   kNsPerRow * static_cast<double>(n) * static_cast<double>(outputs));
}

/// fn(first, count) over blocks of kLossRows rows.
template <class Fn>
void for_blocks(Index n, int threads, Fn&& fn) {
  constexpr Index kTask = kBlocksPerTask * kLossRows;
  runtime::parallel_for(ceil_div(n, kTask), threads, [&](Index task) {
    for (Index first = task * kTask; first < std::min(n, (task + 1) * kTask); first += kLossRows)
      fn(first, std::min(kLossRows, n - first));
  });
}

}  // namespace

void loss_gradients(Loss loss, double parameter, VectorView<const double> y, MatrixView<const double> raw,
                    VectorView<const double> weights, MatrixView<float> gradients, MatrixView<float> hessians,
                    int n_threads) {
  const Index n = y.size, outputs = raw.rows;
  require_outputs(raw, outputs, n, "raw must have the shape (n_outputs, n_samples), rows contiguous");
  require_outputs(gradients, outputs, n, "gradients must have the shape of raw, rows contiguous");
  const bool constant = hessians.data == nullptr;
  if (!constant) require_outputs(hessians, outputs, n, "hessians must have the shape of raw, rows contiguous");
  require(weights.empty() || weights.size == n, "sample_weight must have one value per row");
  require(loss == Loss::kMultinomial || outputs == 1, "this loss has one output");
  require(!constant || (weights.empty() && (loss == Loss::kSquared || loss == Loss::kAbsolute || loss == Loss::kHuber ||
                                            loss == Loss::kQuantile)),
          "the hessians of this loss are not constant");
  const LossKernels& kernel = kernels();
  for_blocks(n, threads_of(n_threads, n, outputs), [&](Index first, Index count) {
    const double* w = weights.empty() ? nullptr : weights.data + first;
    if (loss == Loss::kMultinomial)
      kernel.softmax_gradients(outputs, y.data + first, raw.data + first, raw.row_stride, w, count,
                               gradients.data + first, gradients.row_stride, hessians.data + first,
                               hessians.row_stride);
    else
      kernel.gradients[static_cast<int>(loss)](parameter, y.data + first, raw.data + first, w, count,
                                               gradients.data + first, constant ? nullptr : hessians.data + first);
  });
}

double loss_value(Loss loss, double parameter, VectorView<const double> y, MatrixView<const double> raw,
                  VectorView<const double> weights, int n_threads) {
  const Index n = y.size, outputs = raw.rows;
  require(n > 0, "no rows");
  require_outputs(raw, outputs, n, "raw must have the shape (n_outputs, n_samples), rows contiguous");
  require(weights.empty() || weights.size == n, "sample_weight must have one value per row");
  require(loss == Loss::kMultinomial || outputs == 1, "this loss has one output");
  const LossKernels& kernel = kernels();
  std::vector<double> parts(static_cast<std::size_t>(ceil_div(n, kLossRows)));
  for_blocks(n, threads_of(n_threads, n, outputs), [&](Index first, Index count) {
    const double* w = weights.empty() ? nullptr : weights.data + first;
    parts[static_cast<std::size_t>(first / kLossRows)] =
        loss == Loss::kMultinomial
            ? kernel.softmax_value(outputs, y.data + first, raw.data + first, raw.row_stride, w, count)
            : kernel.values[static_cast<int>(loss)](parameter, y.data + first, raw.data + first, w, count);
  });
  double sum = 0.0, total = 0.0;
  for (const double part : parts) sum += part;
  if (weights.empty())
    total = static_cast<double>(n);
  else
    for (Index i = 0; i < n; ++i) total += weights[i];
  return sum / total;
}

void call_objective(CompiledObjective objective, VectorView<const double> y, VectorView<const double> raw,
                    VectorView<const double> weights, VectorView<float> gradients, VectorView<float> hessians,
                    int n_threads) {
  const Index n = y.size;
  require(objective != nullptr, "the address of the objective must not be 0");
  require(raw.size == n && gradients.size == n && hessians.size == n && (weights.empty() || weights.size == n),
          "one value per row");
  constexpr Index kTask = kBlocksPerTask * kLossRows;
  runtime::parallel_for(ceil_div(n, kTask), threads_of(n_threads, n, 1), [&](Index task) {
    const Index first = task * kTask;
    objective(y.data + first, raw.data + first, weights.empty() ? nullptr : weights.data + first,
              gradients.data + first, hessians.data + first, std::min(kTask, n - first));
  });
}

}  // namespace mlcore::ensemble
