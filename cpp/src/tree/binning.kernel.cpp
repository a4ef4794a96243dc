// Bin numbers by binary search without branches: all values of a block take step s together, so that the loop over the
// block has independent iterations, which the compiler turns into gathers where the level has them.
#include "tree/binning.kernels.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using tree::ColumnBins;
using tree::kBinningRows;

template <class T>
bool bin_values(const T* __restrict x, Index stride, Index n, const ColumnBins<T>& column,
                std::uint8_t* __restrict bins) noexcept {
  T value[kBinningRows];
  std::int32_t place[kBinningRows];
  for (Index i = 0; i < n; ++i) value[i] = x[i * stride];
  bool missing = false;
  if (column.categories > 0) {
    for (Index i = 0; i < n; ++i) {
      const bool known = value[i] >= T(0) && value[i] < static_cast<T>(column.categories);
      bins[i] = known ? static_cast<std::uint8_t>(static_cast<std::int32_t>(known ? value[i] : T(0))) : column.missing;
      missing |= !known;
    }
    return missing;
  }
  for (Index i = 0; i < n; ++i) place[i] = 0;
  const T* __restrict thresholds = column.thresholds;
  for (std::int32_t step = 1 << column.steps >> 1; step > 0; step >>= 1)
    for (Index i = 0; i < n; ++i) place[i] += value[i] > thresholds[place[i] + step - 1] ? step : 0;
  for (Index i = 0; i < n; ++i) {
    const bool absent = !(value[i] == value[i]);
    bins[i] = absent ? column.missing : static_cast<std::uint8_t>(place[i]);
    missing |= absent;
  }
  return missing;
}

const tree::BinningKernels kKernels = {bin_values<float>, bin_values<double>};

}  // namespace

const tree::BinningKernels& binning_kernels() noexcept { return kKernels; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
