#include "mlcore/num/simd.hpp"
