// Kernel values between rows of a training set, computed in tiles: dense, sparse and precomputed.
//
// The rows lie in slots: groups of `width` slots, of which some may be padding (class after class, each padded to whole
// groups). A panel is a list of slots, made ready to be met with many groups.
#pragma once
#include <memory>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/svm/kernel_function.hpp"
#include "svm/svm_tables.hpp"

namespace mlcore::svm {

/// Rows that kernel values are wanted of, as compute() reads them; it may be that of another table of the same kind.
template <class T>
struct Panel {
  Buffer<T> data;                ///< dense: [tile][feature][tile_rows]; sparse: the entries
  Buffer<std::int32_t> indices;  ///< sparse: columns of the entries
  Buffer<Index> starts;          ///< sparse: count + 1 places in data
  Buffer<T> norms;               ///< per row
  Buffer<Index> rows;            ///< precomputed: row numbers
  Index count = 0;
};
/// Makes room for `size` values, which are not kept.
template <class T>
void make_room(Buffer<T>& buffer, Index size) {
  if (buffer.size() < size) buffer = Buffer<T>(size);
}

/// Memory of one thread for compute(): grown when needed, never shared.
template <class T>
struct KernelScratch {
  Buffer<T> scatter;  ///< sparse: [feature][width], all zero between calls
};

template <class T>
class KernelRows {
 public:
  KernelRows(const KernelFunction& kernel, Index groups)
      : kernel_(kernel), kernels_(svm_kernels(T())), groups_(groups), norms_(Buffer<T>::zeros({groups * width()})) {}
  virtual ~KernelRows() = default;
  KernelRows(const KernelRows&) = delete;
  KernelRows& operator=(const KernelRows&) = delete;

  Index width() const noexcept { return kernels_.tile_cols; }
  Index groups() const noexcept { return groups_; }
  const SvmKernels<T>& kernels() const noexcept { return kernels_; }
  /// Cost of one kernel value in nanoseconds of one thread, roughly.
  virtual double value_ns() const noexcept = 0;
  /// K(slot, slot).
  double diagonal(Index slot) const noexcept { return static_cast<double>(diagonal_[slot]); }
  T largest_norm() const noexcept;

  /// A table of some of the slots, in this order (-1 for padding; whole groups).
  virtual std::unique_ptr<KernelRows> subset(const Index* slots, Index count) const = 0;
  virtual void pack(const Index* slots, Index count, Panel<T>& panel) const = 0;
  /// out[w][g * width + r] <- K(panel row w, slot r of group first + g) for g < groups.
  virtual void compute(const Panel<T>& panel, Index first, Index groups, T* const* out,
                       KernelScratch<T>& scratch) const = 0;

 protected:
  /// Products with a row of squared length `norm` to kernel values, from slot `first` on.
  void finish(T* values, T norm, Index first, Index n) const noexcept {
    const T gamma = static_cast<T>(kernel_.gamma), coef0 = static_cast<T>(kernel_.coef0);
    switch (kernel_.kind) {
      case KernelKind::kRbf:
        return kernels_.rbf(values, n, norm, norms_.data() + first, gamma);
      case KernelKind::kPolynomial:
        return kernels_.polynomial(values, n, gamma, coef0, kernel_.degree);
      case KernelKind::kSigmoid:
        return kernels_.sigmoid(values, n, gamma, coef0);
      case KernelKind::kLinear:
      case KernelKind::kPrecomputed:
        return;
    }
  }
  /// From the norms; the last step of construction.
  void set_diagonal() {
    const Index n = groups_ * width();
    diagonal_ = Buffer<T>(n);
    for (Index r = 0; r < n; ++r) diagonal_[r] = kernel_.kind == KernelKind::kRbf ? T(1) : norms_[r];
    if (kernel_.kind != KernelKind::kRbf) finish(diagonal_.data(), T(0), 0, n);
  }

  /// Takes norms and diagonal of another table over.
  void copy_norms(const KernelRows& from, const Index* slots) {
    const Index n = groups_ * width();
    diagonal_ = Buffer<T>(n);
    for (Index s = 0; s < n; ++s) {
      norms_[s] = slots[s] < 0 ? T(0) : from.norms_[slots[s]];
      diagonal_[s] = slots[s] < 0 ? T(1) : from.diagonal_[slots[s]];
    }
  }

  KernelFunction kernel_;
  const SvmKernels<T>& kernels_;
  Index groups_;
  Buffer<T> norms_;
  Buffer<T> diagonal_;
};

/// How a table is laid out: the same for tables whose rows meet.
struct RowLayout {
  bool dense = true;      ///< CSR input is made dense
  Buffer<double> offset;  ///< taken from every dense row

  /// Layout that suits the rows in the slots (-1 for padding). A kernel that depends on differences alone measures from
  /// a mean row, so that large common offsets do not eat the digits.
  template <class View>
  static RowLayout of(const View& x, const KernelFunction& kernel, const Index* slots, Index count);
};

/// Rows of x in the order of slots[0..count) (row numbers, -1 for padding; whole groups).
template <class T, class View>
std::unique_ptr<KernelRows<T>> make_kernel_rows(const View& x, const Index* slots, Index count,
                                                const KernelFunction& kernel, const RowLayout& layout, int threads);

/// True when kernel values computed in float32 would be good to about 1e-5.
template <class T>
bool single_precision_suffices(const KernelRows<T>& rows, const KernelFunction& kernel) noexcept;

}  // namespace mlcore::svm
