// The kernel tables of the level in use. For drivers; kernel files do not include it.
#pragma once
#include "cluster/kmeans.kernels.hpp"
#include "cluster/kmeans_candidates.kernels.hpp"
#include "cluster/kmeans_screen.kernels.hpp"

namespace mlcore::cluster {

inline const KMeansKernels<float>& kmeans_kernels(float) { MLCORE_SELECT_KERNELS(kmeans_kernels_f32) }
inline const KMeansKernels<double>& kmeans_kernels(double) { MLCORE_SELECT_KERNELS(kmeans_kernels_f64) }
inline const ScreenKernels& screen_kernels() { MLCORE_SELECT_KERNELS(kmeans_screen_kernels) }
inline const CandidateKernels& candidate_kernels() { MLCORE_SELECT_KERNELS(kmeans_candidate_kernels) }

}  // namespace mlcore::cluster
