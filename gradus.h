// Everything a program needs. Reading order: tensor (the data), autograd (remembers), nn
// (composes), optim (changes), trainer (repeats); each folder's own header is its page of
// documentation.
#pragma once

#include "gradus/config.h"
#include "gradus/tensor/build_info.h"
#include "gradus/tensor/device.h"
#include "gradus/tensor/dtype.h"
#include "gradus/tensor/error.h"
#include "gradus/tensor/shape.h"
