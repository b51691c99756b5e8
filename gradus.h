// Everything a program needs. Reading order: tensor (the data), autograd (remembers), nn
// (composes), optim (changes), trainer (repeats); each folder's own header is its page of
// documentation.
#pragma once

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/engine.h"
#include "gradus/autograd/functions.h"
#include "gradus/autograd/gradcheck.h"
#include "gradus/autograd/graph.h"
#include "gradus/autograd/node.h"
#include "gradus/autograd/weight_sink.h"
#include "gradus/config.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/literal.h"
#include "gradus/kernels/random.h"
#include "gradus/nn/nn.h"
#include "gradus/optim/optim.h"
#include "gradus/tensor/build_info.h"
#include "gradus/tensor/device.h"
#include "gradus/tensor/dlpack.h"
#include "gradus/tensor/dtype.h"
#include "gradus/tensor/error.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tensor/random.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tensor/shape.h"
#include "gradus/tensor/stream.h"
#include "gradus/tensor/tensor.h"

#if GRADUS_HAS_TRAINER
#include "gradus/trainer/cli/cli.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/load_model.h"
#include "gradus/trainer/logging.h"
#include "gradus/trainer/monitors.h"
#include "gradus/trainer/scores.h"
#include "gradus/trainer/tasks/classify.h"
#include "gradus/trainer/tasks/language.h"
#include "gradus/trainer/tasks/regress.h"
#include "gradus/trainer/tasks/rollout.h"
#include "gradus/trainer/trainer.h"
#endif
