#include "hmm/kernels.hpp"

namespace mlcore::hmm {

const ChainKernels& chain_kernels() { MLCORE_SELECT_KERNELS(hmm_chain_kernels) }
const DecodingKernels& decoding_kernels() { MLCORE_SELECT_KERNELS(hmm_decoding_kernels) }
const DensityKernels& density_kernels() { MLCORE_SELECT_KERNELS(hmm_density_kernels) }
const DurationKernels& duration_kernels() { MLCORE_SELECT_KERNELS(hmm_duration_kernels) }
const ProductKernels& product_kernels() { MLCORE_SELECT_KERNELS(hmm_product_kernels) }
const SymbolKernels& symbol_kernels() { MLCORE_SELECT_KERNELS(hmm_symbol_kernels) }
const TrackKernels& track_kernels() { MLCORE_SELECT_KERNELS(hmm_track_kernels) }

}  // namespace mlcore::hmm
