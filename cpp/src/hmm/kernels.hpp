// The family's kernel tables of the instruction-set level in use.
#pragma once
#include "hmm/chain.kernels.hpp"
#include "hmm/decoding.kernels.hpp"
#include "hmm/density.kernels.hpp"
#include "hmm/durations.kernels.hpp"
#include "hmm/products.kernels.hpp"
#include "hmm/symbols.kernels.hpp"
#include "hmm/tracks.kernels.hpp"

namespace mlcore::hmm {

const ChainKernels& chain_kernels();
const DecodingKernels& decoding_kernels();
const DensityKernels& density_kernels();
const DurationKernels& duration_kernels();
const ProductKernels& product_kernels();
const SymbolKernels& symbol_kernels();
const TrackKernels& track_kernels();

}  // namespace mlcore::hmm
