#include "svm/kernel_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/parallel.hpp"

namespace mlcore::svm {

template <class T>
T KernelRows<T>::largest_norm() const noexcept {
  T largest = T(0);
  for (Index r = 0; r < norms_.size(); ++r) largest = std::max(largest, norms_[r]);
  return largest;
}

namespace {

constexpr Index kMeanRows = 1024;         // a mean of some rows is as good a place to measure from as the mean of all
constexpr Index kDenseBytes = 256 << 20;  // sparse data that need less as dense, or are dense anyway, are made so
constexpr double kDenseShare = 0.2;
constexpr Index kFewColumns = 512;

template <class T>
class DenseRows final : public KernelRows<T> {
 public:
  DenseRows(Index features, Index slots, const KernelFunction& kernel)
      : KernelRows<T>(kernel, slots / svm_kernels(T()).tile_cols),
        features_(features),
        data_({this->groups_, features, this->width()}) {}

  T* group(Index g) noexcept { return data_.data() + g * features_ * this->width(); }
  const T* group(Index g) const noexcept { return data_.data() + g * features_ * this->width(); }

  void finish_group(Index g) noexcept {
    this->kernels_.norms(features_, group(g), this->norms_.data() + g * this->width());
  }
  void complete() { this->set_diagonal(); }

  double value_ns() const noexcept override {
    return 0.7 + 0.02 * static_cast<double>(features_) * static_cast<double>(sizeof(T)) / 4.0;
  }

  std::unique_ptr<KernelRows<T>> subset(const Index* slots, Index count) const override {
    auto part = std::make_unique<DenseRows>(features_, count, this->kernel_);
    const Index width = this->width();
    for (Index g = 0; g < part->groups(); ++g) {
      const T* from[kMaxTileCols];
      const T zero = T(0);
      Index step[kMaxTileCols];
      for (Index r = 0; r < width; ++r) {
        const Index slot = slots[g * width + r];
        from[r] = slot < 0 ? &zero : group(slot / width) + slot % width;
        step[r] = slot < 0 ? 0 : width;
      }
      T* out = part->group(g);
      for (Index j = 0; j < features_; ++j)
        for (Index r = 0; r < width; ++r) out[j * width + r] = from[r][j * step[r]];
    }
    part->copy_norms(*this, slots);
    return part;
  }

  void pack(const Index* slots, Index count, Panel<T>& panel) const override {
    const Index rows = this->kernels_.tile_rows, width = this->width(), tiles = ceil_div(count, rows);
    make_room(panel.data, tiles * rows * features_);
    make_room(panel.norms, count);
    panel.count = count;
    for (Index i = 0; i < tiles * rows; ++i) {
      T* out = panel.data.data() + (i / rows) * rows * features_ + i % rows;
      if (i >= count) {
        for (Index j = 0; j < features_; ++j) out[j * rows] = T(0);
        continue;
      }
      panel.norms[i] = this->norms_[slots[i]];
      const T* in = group(slots[i] / width) + slots[i] % width;
      for (Index j = 0; j < features_; ++j) out[j * rows] = in[j * width];
    }
  }

  void compute(const Panel<T>& panel, Index first, Index groups, T* const* out, KernelScratch<T>&) const override {
    const Index rows = this->kernels_.tile_rows, width = this->width(), tiles = ceil_div(panel.count, rows);
    alignas(kCacheLine) T unused[kMaxTileCols];
    T* here[kMaxTileRows];
    for (Index begin = 0; begin == 0 || begin < features_; begin += kDepthBlock) {
      const Index depth = std::min(kDepthBlock, features_ - begin);
      for (Index g = 0; g < groups; ++g) {
        const T* columns = group(first + g) + begin * width;
        for (Index tile = 0; tile < tiles; ++tile) {
          for (Index i = 0; i < rows; ++i)
            here[i] = tile * rows + i < panel.count ? out[tile * rows + i] + g * width : unused;
          this->kernels_.product(depth, panel.data.data() + (tile * features_ + begin) * rows, columns, here,
                                 begin > 0);
        }
      }
    }
    for (Index w = 0; w < panel.count; ++w) this->finish(out[w], panel.norms[w], first * width, groups * width);
  }

 private:
  Index features_;
  Buffer<T> data_;
};

template <class T>
class SparseRows final : public KernelRows<T> {
 public:
  template <class S, class I>
  SparseRows(const CsrView<S, I>& x, const Index* slots, Index count, const KernelFunction& kernel)
      : KernelRows<T>(kernel, count / svm_kernels(T()).tile_cols), features_(x.cols), starts_(count + 1) {
    require(x.cols <= std::numeric_limits<std::int32_t>::max(), "too many columns for a sparse kernel");
    starts_[0] = 0;
    for (Index s = 0; s < count; ++s) {
      const Index row = slots[s];
      starts_[s + 1] = starts_[s] + (row < 0 ? 0 : static_cast<Index>(x.indptr[row + 1] - x.indptr[row]));
    }
    values_ = Buffer<T>(starts_[count]);
    indices_ = Buffer<std::int32_t>(starts_[count]);
    for (Index s = 0; s < count; ++s) {
      if (slots[s] < 0) continue;
      const Index from = static_cast<Index>(x.indptr[slots[s]]);
      for (Index e = starts_[s]; e < starts_[s + 1]; ++e) {
        values_[e] = static_cast<T>(x.values[from + e - starts_[s]]);
        indices_[e] = static_cast<std::int32_t>(x.indices[from + e - starts_[s]]);
      }
    }
    set_norms();
    this->set_diagonal();
  }

  SparseRows(const SparseRows& all, const Index* slots, Index count)
      : KernelRows<T>(all.kernel_, count / all.width()), features_(all.features_), starts_(count + 1) {
    starts_[0] = 0;
    for (Index s = 0; s < count; ++s)
      starts_[s + 1] = starts_[s] + (slots[s] < 0 ? 0 : all.starts_[slots[s] + 1] - all.starts_[slots[s]]);
    values_ = Buffer<T>(starts_[count]);
    indices_ = Buffer<std::int32_t>(starts_[count]);
    for (Index s = 0; s < count; ++s) {
      if (slots[s] < 0) continue;
      const Index from = all.starts_[slots[s]], size = starts_[s + 1] - starts_[s];
      std::copy_n(all.values_.data() + from, size, values_.data() + starts_[s]);
      std::copy_n(all.indices_.data() + from, size, indices_.data() + starts_[s]);
    }
    this->copy_norms(all, slots);
  }

  std::unique_ptr<KernelRows<T>> subset(const Index* slots, Index count) const override {
    return std::make_unique<SparseRows>(*this, slots, count);
  }

  double value_ns() const noexcept override {
    const Index rows = starts_.size() - 1;
    return 1.0 + 0.3 * static_cast<double>(starts_[rows]) / static_cast<double>(std::max<Index>(rows, 1));
  }

  void pack(const Index* slots, Index count, Panel<T>& panel) const override {
    Index entries = 0;
    for (Index i = 0; i < count; ++i) entries += starts_[slots[i] + 1] - starts_[slots[i]];
    make_room(panel.data, entries);
    make_room(panel.indices, entries);
    make_room(panel.starts, count + 1);
    make_room(panel.norms, count);
    panel.count = count;
    panel.starts[0] = 0;
    for (Index i = 0; i < count; ++i) {
      const Index begin = starts_[slots[i]], size = starts_[slots[i] + 1] - begin, at = panel.starts[i];
      std::copy_n(values_.data() + begin, size, panel.data.data() + at);
      std::copy_n(indices_.data() + begin, size, panel.indices.data() + at);
      panel.starts[i + 1] = at + size;
      panel.norms[i] = this->norms_[slots[i]];
    }
  }

  void compute(const Panel<T>& panel, Index first, Index groups, T* const* out,
               KernelScratch<T>& scratch) const override {
    const Index width = this->width();
    prepare(scratch);
    for (Index g = 0; g < groups; ++g) {
      scatter(first + g, scratch, true);
      for (Index w = 0; w < panel.count; ++w) {
        const Index begin = panel.starts[w], entries = panel.starts[w + 1] - begin;
        this->kernels_.sparse_product(panel.data.data() + begin, panel.indices.data() + begin, entries,
                                      scratch.scatter.data(), width, out[w] + g * width);
      }
      scatter(first + g, scratch, false);
    }
    for (Index w = 0; w < panel.count; ++w) this->finish(out[w], panel.norms[w], first * width, groups * width);
  }

 private:
  void prepare(KernelScratch<T>& scratch) const {
    const Index size = checked_product({features_, this->width()});
    if (scratch.scatter.size() >= size) return;
    scratch.scatter = Buffer<T>(size);
    scratch.scatter.fill_zero();
  }
  /// Writes the entries of a group into the columns, or takes them out again.
  void scatter(Index g, KernelScratch<T>& scratch, bool in) const noexcept {
    const Index width = this->width();
    for (Index r = 0; r < width; ++r)
      for (Index e = starts_[g * width + r]; e < starts_[g * width + r + 1]; ++e)
        scratch.scatter[indices_[e] * width + r] = in ? values_[e] : T(0);
  }
  void set_norms() {
    KernelScratch<T> scratch;
    prepare(scratch);
    const Index width = this->width();
    alignas(kCacheLine) T products[kMaxTileCols];
    for (Index g = 0; g < this->groups_; ++g) {
      scatter(g, scratch, true);
      for (Index r = 0; r < width; ++r) {
        const Index begin = starts_[g * width + r], end = starts_[g * width + r + 1];
        this->kernels_.sparse_product(values_.data() + begin, indices_.data() + begin, end - begin,
                                      scratch.scatter.data(), width, products);
        this->norms_[g * width + r] = products[r];
      }
      scatter(g, scratch, false);
    }
  }

  Index features_;
  Buffer<Index> starts_;
  Buffer<T> values_;
  Buffer<std::int32_t> indices_;
};

template <class T, class S>
class PrecomputedRows final : public KernelRows<T> {
 public:
  PrecomputedRows(const MatrixView<const S>& gram, const Index* slots, Index count, const KernelFunction& kernel)
      : KernelRows<T>(kernel, count / svm_kernels(T()).tile_cols), gram_(gram), slots_(count) {
    std::copy_n(slots, count, slots_.data());
    for (Index s = 0; s < count; ++s) this->norms_[s] = slots[s] < 0 ? T(0) : static_cast<T>(gram(slots[s], slots[s]));
    this->set_diagonal();
  }
  PrecomputedRows(const PrecomputedRows& all, const Index* slots, Index count)
      : KernelRows<T>(all.kernel_, count / all.width()), gram_(all.gram_), slots_(count) {
    for (Index s = 0; s < count; ++s) slots_[s] = slots[s] < 0 ? -1 : all.slots_[slots[s]];
    this->copy_norms(all, slots);
  }
  std::unique_ptr<KernelRows<T>> subset(const Index* slots, Index count) const override {
    return std::make_unique<PrecomputedRows>(*this, slots, count);
  }
  double value_ns() const noexcept override { return 1.5; }
  void pack(const Index* slots, Index count, Panel<T>& panel) const override {
    make_room(panel.rows, count);
    panel.count = count;
    for (Index i = 0; i < count; ++i) panel.rows[i] = slots_[slots[i]];
  }
  void compute(const Panel<T>& panel, Index first, Index groups, T* const* out, KernelScratch<T>&) const override {
    const Index begin = first * this->width(), n = groups * this->width();
    for (Index w = 0; w < panel.count; ++w) {
      const Index row = panel.rows[w];
      for (Index r = 0; r < n; ++r) {
        const Index other = slots_[begin + r];
        out[w][r] = other < 0 ? T(0) : static_cast<T>(gram_(row, other));
      }
    }
  }

 private:
  MatrixView<const S> gram_;
  Buffer<Index> slots_;
};

/// Row r of a group to lane r, minus offset.
template <class T, class S>
void fill_group(const MatrixView<const S>& x, const Index* rows, Index width, const double* offset, T* out) {
  for (Index r = 0; r < width; ++r) {
    if (rows[r] < 0) {
      for (Index j = 0; j < x.cols; ++j) out[j * width + r] = T(0);
      continue;
    }
    const S* row = x.row(rows[r]);
    for (Index j = 0; j < x.cols; ++j)
      out[j * width + r] = static_cast<T>(static_cast<double>(row[j * x.col_stride]) - offset[j]);
  }
}
template <class T, class S, class I>
void fill_group(const CsrView<S, I>& x, const Index* rows, Index width, const double* offset, T* out) {
  for (Index j = 0; j < x.cols; ++j)
    for (Index r = 0; r < width; ++r) out[j * width + r] = rows[r] < 0 ? T(0) : static_cast<T>(-offset[j]);
  for (Index r = 0; r < width; ++r)
    if (rows[r] >= 0)
      for (I e = x.indptr[rows[r]]; e < x.indptr[rows[r] + 1]; ++e) {
        const Index j = static_cast<Index>(x.indices[e]);
        out[j * width + r] = static_cast<T>(static_cast<double>(x.values[e]) - offset[j]);
      }
}

template <class S>
void add_to(const MatrixView<const S>& x, Index i, double* sum) {
  for (Index j = 0; j < x.cols; ++j) sum[j] += static_cast<double>(x(i, j));
}
template <class S, class I>
void add_to(const CsrView<S, I>& x, Index i, double* sum) {
  for (I e = x.indptr[i]; e < x.indptr[i + 1]; ++e)
    sum[static_cast<Index>(x.indices[e])] += static_cast<double>(x.values[e]);
}

template <class S>
bool suits_dense(const MatrixView<const S>&, const std::vector<Index>&) {
  return true;
}
template <class S, class I>
bool suits_dense(const CsrView<S, I>& x, const std::vector<Index>& rows) {
  const double cells = static_cast<double>(rows.size()) * static_cast<double>(x.cols);
  double entries = 0.0;
  for (const Index i : rows) entries += static_cast<double>(x.indptr[i + 1] - x.indptr[i]);
  return cells * sizeof(double) <= kDenseBytes && (x.cols <= kFewColumns || entries >= kDenseShare * cells);
}

template <class T, class View>
std::unique_ptr<KernelRows<T>> make_dense(const View& x, const Index* slots, Index count, const KernelFunction& kernel,
                                          const RowLayout& layout, int threads) {
  auto rows = std::make_unique<DenseRows<T>>(x.cols, count, kernel);
  const Index width = rows->width();
  const double work = static_cast<double>(count) * static_cast<double>(x.cols);
  runtime::parallel_for(rows->groups(), runtime::threads_for_work(threads, work), [&](Index g) {
    fill_group(x, slots + g * width, width, layout.offset.data(), rows->group(g));
    rows->finish_group(g);
  });
  rows->complete();
  return rows;
}

template <class T, class S>
std::unique_ptr<KernelRows<T>> make(const MatrixView<const S>& x, const Index* slots, Index count,
                                    const KernelFunction& kernel, const RowLayout& layout, int threads) {
  if (kernel.kind == KernelKind::kPrecomputed) return std::make_unique<PrecomputedRows<T, S>>(x, slots, count, kernel);
  return make_dense<T>(x, slots, count, kernel, layout, threads);
}
template <class T, class S, class I>
std::unique_ptr<KernelRows<T>> make(const CsrView<S, I>& x, const Index* slots, Index count,
                                    const KernelFunction& kernel, const RowLayout& layout, int threads) {
  require(kernel.kind != KernelKind::kPrecomputed, "a precomputed kernel must be dense");
  if (layout.dense) return make_dense<T>(x, slots, count, kernel, layout, threads);
  return std::make_unique<SparseRows<T>>(x, slots, count, kernel);
}

}  // namespace

template <class View>
RowLayout RowLayout::of(const View& x, const KernelFunction& kernel, const Index* slots, Index count) {
  std::vector<Index> rows;
  for (Index s = 0; s < count; ++s)
    if (slots[s] >= 0) rows.push_back(slots[s]);
  RowLayout layout;
  layout.dense = suits_dense(x, rows);
  if (kernel.kind == KernelKind::kPrecomputed || !layout.dense) return layout;
  layout.offset = Buffer<double>::zeros({x.cols});
  const auto used = static_cast<Index>(rows.size());
  if (kernel.kind != KernelKind::kRbf || used == 0) return layout;
  const Index step = ceil_div(used, kMeanRows), summed = ceil_div(used, step);
  for (Index k = 0; k < used; k += step) add_to(x, rows[static_cast<std::size_t>(k)], layout.offset.data());
  for (double& mean : layout.offset) mean /= static_cast<double>(summed);
  return layout;
}

template <class T, class View>
std::unique_ptr<KernelRows<T>> make_kernel_rows(const View& x, const Index* slots, Index count,
                                                const KernelFunction& kernel, const RowLayout& layout, int threads) {
  return make<T>(x, slots, count, kernel, layout, threads);
}

template <class T>
bool single_precision_suffices(const KernelRows<T>& rows, const KernelFunction& kernel) noexcept {
  // The exponent gamma |x - z|^2 carries the rounding of the norms: 2^-23 gamma |x|^2.
  constexpr double kLargestExponent = 64.0;
  const double norm = static_cast<double>(rows.largest_norm());
  if (!std::isfinite(norm)) return false;
  return kernel.kind != KernelKind::kRbf || kernel.gamma * norm <= kLargestExponent;
}

#define MLCORE_INSTANTIATE(...)                                                                                  \
  template RowLayout RowLayout::of<__VA_ARGS__>(const __VA_ARGS__&, const KernelFunction&, const Index*, Index); \
  template std::unique_ptr<KernelRows<float>> make_kernel_rows<float, __VA_ARGS__>(                              \
      const __VA_ARGS__&, const Index*, Index, const KernelFunction&, const RowLayout&, int);                    \
  template std::unique_ptr<KernelRows<double>> make_kernel_rows<double, __VA_ARGS__>(                            \
      const __VA_ARGS__&, const Index*, Index, const KernelFunction&, const RowLayout&, int);
MLCORE_INSTANTIATE(MatrixView<const float>)
MLCORE_INSTANTIATE(MatrixView<const double>)
MLCORE_INSTANTIATE(CsrView<float, std::int32_t>)
MLCORE_INSTANTIATE(CsrView<float, std::int64_t>)
MLCORE_INSTANTIATE(CsrView<double, std::int32_t>)
MLCORE_INSTANTIATE(CsrView<double, std::int64_t>)
template class KernelRows<float>;
template class KernelRows<double>;
template bool single_precision_suffices<float>(const KernelRows<float>&, const KernelFunction&) noexcept;
template bool single_precision_suffices<double>(const KernelRows<double>&, const KernelFunction&) noexcept;

}  // namespace mlcore::svm
