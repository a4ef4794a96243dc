// The instruction-set levels in this build. Apart from isa.hpp, which kernel files see and which may not include
// <vector>.
#pragma once
#include <vector>

#include "mlcore/runtime/isa.hpp"

namespace mlcore::runtime {

std::vector<IsaLevel> isa_levels_compiled();

}  // namespace mlcore::runtime
