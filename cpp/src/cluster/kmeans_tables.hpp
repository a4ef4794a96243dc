// The kernel table of the level in use, by scalar type. For drivers; kernel files do not include it.
#pragma once
#include "cluster/kmeans.kernels.hpp"

namespace mlcore::cluster {

inline const KMeansKernels<float>& kmeans_kernels(float) { MLCORE_SELECT_KERNELS(kmeans_kernels_f32) }
inline const KMeansKernels<double>& kmeans_kernels(double) { MLCORE_SELECT_KERNELS(kmeans_kernels_f64) }

}  // namespace mlcore::cluster
