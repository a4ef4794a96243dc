// Tables of neighbors/leaf_kernels.hpp, one for each kind of metric, in the order of MetricKind.
#pragma once
#include "mlcore/neighbors/leaf_kernels.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::neighbors {

struct LeafTables {
  LeafKernels metric[4];
};

}  // namespace mlcore::neighbors

MLCORE_DECLARE_KERNELS(mlcore::neighbors::LeafTables, leaf_tables)
