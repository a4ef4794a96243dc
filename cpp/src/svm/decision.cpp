#include "mlcore/svm/decision.hpp"

#include <algorithm>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "svm/kernel_rows.hpp"

namespace mlcore::svm {

namespace {

constexpr Index kChunk = 256;         // support vectors that meet a group of rows at a time
constexpr Index kGroupsPerBlock = 4;  // of rows
// Models whose decision costs less than this many operations are evaluated in float64.
constexpr double kCheapModel = 1e5;

/// Support vectors [first, first + count) of one class with their coefficients.
template <class T>
struct Chunk {
  Panel<T> panel;
  Index first = 0;
  Index count = 0;
  Index of_class = 0;
  Buffer<double> weights;  ///< few columns: [column][count]
  Buffer<T> coefficients;  ///< many columns: [tile][count][tile_rows]
};

template <class T>
struct Model {
  std::vector<Chunk<T>> chunks;
  RowLayout layout;
  double value_ns = 1.0;
  bool few_columns = true;
};

Index pair_number(Index classes, Index a, Index b) { return a * classes - a * (a + 1) / 2 + (b - a - 1); }

/// Problem to which column m of a support vector of class c belongs.
Index problem_of(Index classes, Index c, Index m) {
  if (classes == 1) return 0;
  return m < c ? pair_number(classes, m, c) : pair_number(classes, c, m + 1);
}

template <class T, class SupportView>
Model<T> make_model(const SupportView& vectors, const DecisionSpec& spec, int threads) {
  Model<T> model;
  const bool given = spec.kernel.kind == KernelKind::kPrecomputed;
  const auto& kernels = svm_kernels(T());
  const Index support = spec.coef.cols, columns = spec.coef.rows;
  std::unique_ptr<KernelRows<T>> table;
  if (!given) {
    Buffer<Index> slots(round_up(support, kernels.tile_cols));
    for (Index s = 0; s < slots.size(); ++s) slots[s] = s < support ? s : -1;
    model.layout = RowLayout::of(vectors, spec.kernel, slots.data(), slots.size());
    table = make_kernel_rows<T>(vectors, slots.data(), slots.size(), spec.kernel, model.layout, threads);
    model.value_ns = table->value_ns();
  }
  model.few_columns = columns <= 2;
  Index begin = 0;
  Index numbers[kChunk];
  for (Index c = 0; c < spec.per_class.size; ++c) {
    const Index end = begin + spec.per_class[c];
    for (Index first = begin; first < end; first += kChunk) {
      Chunk<T>& chunk = model.chunks.emplace_back();
      chunk.first = first;
      chunk.count = std::min(kChunk, end - first);
      chunk.of_class = c;
      for (Index s = 0; s < chunk.count; ++s) numbers[s] = first + s;
      if (!given) table->pack(numbers, chunk.count, chunk.panel);
      if (model.few_columns) {
        chunk.weights = Buffer<double>({columns, chunk.count});
        for (Index m = 0; m < columns; ++m)
          for (Index s = 0; s < chunk.count; ++s) chunk.weights[m * chunk.count + s] = spec.coef(m, first + s);
      } else {
        const Index rows = kernels.tile_rows, tiles = ceil_div(columns, rows);
        chunk.coefficients = Buffer<T>::zeros({tiles, chunk.count, rows});
        for (Index m = 0; m < columns; ++m)
          for (Index s = 0; s < chunk.count; ++s)
            chunk.coefficients[((m / rows) * chunk.count + s) * rows + m % rows] =
                static_cast<T>(spec.coef(m, first + s));
      }
    }
    begin = end;
  }
  return model;
}

/// sums[problem][r] += the chunk's part, from kernel values [count][width].
template <class T>
void add_chunk(const Chunk<T>& chunk, const DecisionSpec& spec, bool few_columns, const T* values, Index width,
               double* sums) {
  const auto& kernels = svm_kernels(T());
  const Index classes = spec.per_class.size, columns = spec.coef.rows;
  if (few_columns) {
    const T* rows[kChunk];
    for (Index s = 0; s < chunk.count; ++s) rows[s] = values + s * width;
    for (Index m = 0; m < columns; ++m)
      kernels.accumulate(chunk.count, rows, chunk.weights.data() + m * chunk.count, width,
                         sums + problem_of(classes, chunk.of_class, m) * width);
    return;
  }
  alignas(kCacheLine) T tile[kMaxTileRows * kMaxTileCols];
  T* out[kMaxTileRows];
  for (Index i = 0; i < kernels.tile_rows; ++i) out[i] = tile + i * width;
  for (Index first = 0; first < columns; first += kernels.tile_rows) {
    kernels.product(chunk.count, chunk.coefficients.data() + first * chunk.count, values, out, false);
    for (Index i = 0; i < std::min(kernels.tile_rows, columns - first); ++i) {
      double* sum = sums + problem_of(classes, chunk.of_class, first + i) * width;
      for (Index r = 0; r < width; ++r) sum[r] += static_cast<double>(out[i][r]);
    }
  }
}

/// Values of a precomputed kernel: rows of x against the columns of the support vectors.
template <class T, class S>
void given_values(const MatrixView<const S>& x, const DecisionSpec& spec, const Chunk<T>& chunk, const Index* rows,
                  Index width, T* values) {
  for (Index s = 0; s < chunk.count; ++s)
    for (Index r = 0; r < width; ++r)
      values[s * width + r] = rows[r] < 0 ? T(0) : static_cast<T>(x(rows[r], spec.support[chunk.first + s]));
}
template <class T, class S, class I>
void given_values(const CsrView<S, I>&, const DecisionSpec&, const Chunk<T>&, const Index*, Index, T*) {
  throw std::invalid_argument("a precomputed kernel must be dense");
}

/// finish(row, sums, stride): sums[problem * stride] are the row's decision values plus rho.
template <class T, class View, class SupportView, class Finish>
void evaluate(const View& x, const SupportView& vectors, const DecisionSpec& spec, int threads, Finish&& finish) {
  const Model<T> model = make_model<T>(vectors, spec, threads);
  const bool given = spec.kernel.kind == KernelKind::kPrecomputed;
  const Index width = svm_kernels(T()).tile_cols, problems = spec.rho.size, in_block = kGroupsPerBlock * width;
  const Index blocks = ceil_div(x.rows, in_block);
  const double work = static_cast<double>(round_up(x.rows, width)) * static_cast<double>(spec.coef.cols) *
                      (model.value_ns + 0.05 * static_cast<double>(spec.coef.rows));
  runtime::Interrupt interrupt;
  runtime::parallel_for(blocks, runtime::threads_for_work(threads, work), [&](Index block) {
    interrupt.poll();
    const Index groups = std::min(kGroupsPerBlock, ceil_div(x.rows - block * in_block, width));
    Index rows[kGroupsPerBlock * kMaxTileCols];
    for (Index r = 0; r < groups * width; ++r) rows[r] = block * in_block + r < x.rows ? block * in_block + r : -1;
    std::unique_ptr<KernelRows<T>> table;
    if (!given) table = make_kernel_rows<T>(x, rows, groups * width, spec.kernel, model.layout, 1);
    KernelScratch<T> scratch;
    Buffer<T> values({kChunk, width});
    T* out[kChunk];
    for (Index s = 0; s < kChunk; ++s) out[s] = values.data() + s * width;
    auto sums = Buffer<double>::zeros({groups, problems, width});
    for (const Chunk<T>& chunk : model.chunks)
      for (Index g = 0; g < groups; ++g) {
        if (given) {
          given_values(x, spec, chunk, rows + g * width, width, values.data());
        } else {
          table->compute(chunk.panel, g, 1, out, scratch);
        }
        add_chunk(chunk, spec, model.few_columns, values.data(), width, sums.data() + g * problems * width);
      }
    for (Index r = 0; r < groups * width && rows[r] >= 0; ++r)
      finish(rows[r], sums.data() + (r / width) * problems * width + r % width, width);
  });
}

template <class View, class SupportView, class Finish>
void check_and_evaluate(const View& x, const SupportView& vectors, const DecisionSpec& spec, Finish&& finish) {
  const Index classes = spec.per_class.size, columns = spec.coef.rows, support = spec.coef.cols;
  require(classes >= 1 && columns == std::max<Index>(1, classes - 1), "one row of coefficients for each other class");
  require(spec.rho.size == std::max<Index>(1, classes * (classes - 1) / 2), "one rho for each problem");
  Index total = 0;
  for (Index c = 0; c < classes; ++c) {
    require(spec.per_class[c] >= 0, "negative number of support vectors");
    total += spec.per_class[c];
  }
  require(total == support, "the classes must have all support vectors");
  if (spec.kernel.kind == KernelKind::kPrecomputed) {
    require(spec.support.size == support, "one column for each support vector");
    for (Index s = 0; s < support; ++s)
      require(spec.support[s] >= 0 && spec.support[s] < x.cols, "support vector beyond the columns of the kernel");
  } else {
    require(vectors.rows == support && (support == 0 || vectors.cols == x.cols), "support vectors do not fit");
  }
  const int threads = runtime::resolve_threads(spec.n_jobs).threads;
  const double cost = static_cast<double>(support) * (static_cast<double>(x.cols) + 30.0);
  bool cheap = cost <= kCheapModel;
  if (!cheap && spec.kernel.kind == KernelKind::kRbf) {
    // Large squared lengths cost float32 too many digits of the exponent, as in the fit.
    Buffer<Index> slots(round_up(support, svm_kernels(0.0F).tile_cols));
    for (Index s = 0; s < slots.size(); ++s) slots[s] = s < support ? s : -1;
    const auto table =
        make_kernel_rows<float>(vectors, slots.data(), slots.size(), spec.kernel,
                                RowLayout::of(vectors, spec.kernel, slots.data(), slots.size()), threads);
    cheap = !single_precision_suffices(*table, spec.kernel);
  }
  if (cheap) {
    evaluate<double>(x, vectors, spec, threads, finish);
  } else {
    evaluate<float>(x, vectors, spec, threads, finish);
  }
}

}  // namespace

template <class View, class SupportView>
void decision_values(const View& x, const SupportView& vectors, const DecisionSpec& spec, double* out) {
  const Index problems = spec.rho.size;
  check_and_evaluate(x, vectors, spec, [&](Index row, const double* sums, Index stride) {
    for (Index p = 0; p < problems; ++p) out[row * problems + p] = sums[p * stride] - spec.rho[p];
  });
}

template <class View, class SupportView>
void predict_classes(const View& x, const SupportView& vectors, const DecisionSpec& spec, std::int32_t* labels) {
  const Index classes = spec.per_class.size;
  require(classes >= 2, "there are no classes to choose from");
  check_and_evaluate(x, vectors, spec, [&](Index row, const double* sums, Index stride) {
    std::vector<std::int32_t> votes(static_cast<std::size_t>(classes));
    Index p = 0;
    for (Index a = 0; a < classes; ++a)
      for (Index b = a + 1; b < classes; ++b, ++p)
        ++votes[static_cast<std::size_t>(sums[p * stride] - spec.rho[p] > 0 ? a : b)];
    labels[row] = static_cast<std::int32_t>(std::max_element(votes.begin(), votes.end()) - votes.begin());
  });
}

#define MLCORE_INSTANTIATE(X, V)                                                         \
  template void decision_values<X, V>(const X&, const V&, const DecisionSpec&, double*); \
  template void predict_classes<X, V>(const X&, const V&, const DecisionSpec&, std::int32_t*);
using Dense = MatrixView<const double>;
using Csr32 = CsrView<double, std::int32_t>;
using Csr64 = CsrView<double, std::int64_t>;
using DenseFloat = MatrixView<const float>;
using CsrFloat32 = CsrView<float, std::int32_t>;
using CsrFloat64 = CsrView<float, std::int64_t>;
MLCORE_INSTANTIATE(Dense, Dense)
MLCORE_INSTANTIATE(DenseFloat, Dense)
MLCORE_INSTANTIATE(Csr32, Csr32)
MLCORE_INSTANTIATE(CsrFloat32, Csr32)
MLCORE_INSTANTIATE(Csr64, Csr64)
MLCORE_INSTANTIATE(CsrFloat64, Csr64)

}  // namespace mlcore::svm
