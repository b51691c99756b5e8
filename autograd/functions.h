// The public functions: PyTorch's names, argument order and semantics. One header a family.
#pragma once

#include "gradus/autograd/functions/activation.h"
#include "gradus/autograd/functions/attention.h"
#include "gradus/autograd/functions/conv.h"
#include "gradus/autograd/functions/embedding.h"
#include "gradus/autograd/functions/index.h"
#include "gradus/autograd/functions/loss.h"
#include "gradus/autograd/functions/matmul.h"
#include "gradus/autograd/functions/norm.h"
#include "gradus/autograd/functions/pointwise.h"
#include "gradus/autograd/functions/pool.h"
#include "gradus/autograd/functions/random.h"
#include "gradus/autograd/functions/reduce.h"
#include "gradus/autograd/functions/shape.h"
#include "gradus/autograd/functions/softmax.h"
#include "gradus/kernels/create.h"
