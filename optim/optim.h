// Optimizers: they change the data. Read in this order:
//
//   schedule.h   rates as pure functions of the applied step
//   options.h    parameters, groups, options that all optimizers share
//   optimizer.h  step, clip, loss scale, average, freeze, save: everything but the formulas
//   adam.h sgd.h rmsprop.h lion.h lars.h lamb.h muon.h    the rules' options; formulas are in
//                kernels/update.h
//   segments.h   the table of all parameters that the kernels walk
//   plateau.h    the one schedule with a state
//   clip.h       clipping for loops that step by themselves
//   epilogue.h   the same three launches on raw pointers, for other frameworks' loops
//   gradus_epilogue.h   the same for C, with everything but the tensors kept inside
//   mirror.h     lists that the host writes and a device reads
#pragma once

#include "gradus/optim/adam.h"
#include "gradus/optim/clip.h"
#include "gradus/optim/epilogue.h"
#include "gradus/optim/lamb.h"
#include "gradus/optim/lars.h"
#include "gradus/optim/lion.h"
#include "gradus/optim/muon.h"
#include "gradus/optim/optimizer.h"
#include "gradus/optim/plateau.h"
#include "gradus/optim/rmsprop.h"
#include "gradus/optim/schedule.h"
#include "gradus/optim/sgd.h"
