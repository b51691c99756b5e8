// nn: layers, and how they are put together. A module lists its members once, in visit();
// everything else follows from that list. Keys, layouts, names and defaults are PyTorch's, so a
// state dict written here loads there, and the other way round.
//
// Reading order: module.h (what a module is), linear.h (the smallest layer), init.h (first values),
// sequential.h (lists of modules), state_dict.h (saving and loading); then the layers, then the
// models put together from them: gpt.h, resnet9.h, sequence_lstm.h, unet.h, vision_transformer.h.
#pragma once

#include "gradus/nn/activation.h"
#include "gradus/nn/attention.h"
#include "gradus/nn/conv.h"
#include "gradus/nn/dropout.h"
#include "gradus/nn/embedding.h"
#include "gradus/nn/flatten.h"
#include "gradus/nn/gpt.h"
#include "gradus/nn/init.h"
#include "gradus/nn/linear.h"
#include "gradus/nn/module.h"
#include "gradus/nn/norm.h"
#include "gradus/nn/pool.h"
#include "gradus/nn/recurrent.h"
#include "gradus/nn/resnet9.h"
#include "gradus/nn/sequence_lstm.h"
#include "gradus/nn/sequential.h"
#include "gradus/nn/spectral_norm.h"
#include "gradus/nn/state_dict.h"
#include "gradus/nn/unet.h"
#include "gradus/nn/upsample.h"
#include "gradus/nn/vision_transformer.h"
