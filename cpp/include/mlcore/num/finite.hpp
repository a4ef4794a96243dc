// One look at the data before a fit: is every number finite?
#pragma once
#include "mlcore/base/views.hpp"

namespace mlcore::num {

/// True when no entry is NaN or infinite. Reads every entry once, in memory order; stops early after a block that holds
/// a bad one.
template <class T>
bool all_finite(const MatrixView<const T>& x, int n_jobs);

}  // namespace mlcore::num
