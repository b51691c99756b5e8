/* The optimizer's step for a training loop in another language or framework: everything between the
 * last gradient and the next forward (unscale, clip, rule, low-precision copy, moving average) in
 * three launches and two passes over memory, on pointers that stay yours. C and C++.
 *
 *   gradus_epilogue* e = gradus_epilogue_new(tensors, count, &options, device);
 *   for (;;) {
 *     ... forward and backward, which write the gradients ...
 *     gradus_epilogue_step(e, &rates, stream);       (nothing waits)
 *   }
 *
 * Functions return 0, or -1 and gradus_epilogue_error() says why, on the thread that called. */
#ifndef GRADUS_EPILOGUE_H
#define GRADUS_EPILOGUE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { GRADUS_F32, GRADUS_F64, GRADUS_BF16, GRADUS_F16 } gradus_type;

/* One parameter: contiguous tensors of n elements, all on the device. */
typedef struct {
  void* weight;   /* f32 or f64: what the rule moves; null where `remainder` is given */
  void* gradient; /* any type; null: only the average moves */
  void* state[4]; /* the rule's slots, in the weight's type, zeros at first */
  void* low;      /* bf16 or f16 copy of the weight, rewritten each step; or null */
  void* average;  /* moving average, in the weight's type; or null */
  int64_t n;
  gradus_type weight_type, gradient_type, low_type;
  int32_t decays; /* weight decay acts on it */
  /* Or a split master: the lower 16 bits of an f32 weight (zeros at first, if the weight begins as
   * a bf16) whose upper half, rounded to nearest, is `low`, bf16. 4 bytes a weight, not 6; exact.
   */
  uint16_t* remainder;
} gradus_epilogue_tensor;

/* Zeros mean: none. */
typedef struct {
  const char* rule;    /* "sgd", "sgd_momentum", "adam", "adamw", "lion", "adan", "lars" ... */
  double constants[4]; /* of kernels/update.h in their order; AdamW: beta2, eps */
  double max_norm, max_value; /* clipping, by the norm of all gradients and of each element */
  double loss_scale;          /* what the loss was multiplied by, at first; 0: 1 */
  int32_t growth_interval;    /* good steps before it doubles; 0: it is constant */
  int32_t apply_non_finite;   /* 1: a step with a gradient that is not finite is not skipped */
} gradus_epilogue_options;

/* Of one step. momentum is beta1 of the Adam family; the average keeps `average` of itself. */
typedef struct {
  double lr, momentum, weight_decay, average;
} gradus_epilogue_rates;

typedef struct {
  int64_t attempted, applied; /* steps asked for, and those that changed something */
  double norm;                /* of all gradients of the last step, unscaled, before clipping */
  double loss_scale;
  int32_t finite; /* all gradients of the last step were */
} gradus_epilogue_state;

typedef struct gradus_epilogue gradus_epilogue;

/* device: -1 for the CPU, else a CUDA device. Null on error. */
gradus_epilogue* gradus_epilogue_new(const gradus_epilogue_tensor* tensors, int64_t count,
                                     const gradus_epilogue_options* options, int device);
/* The same tensors where pointers, or which have a gradient, have changed. */
int gradus_epilogue_set_tensors(gradus_epilogue* e, const gradus_epilogue_tensor* tensors);
/* The weight of the batch so far: gradients are divided by the sum since the last step. Without any
 * call they are taken as they are. */
int gradus_epilogue_add_samples(gradus_epilogue* e, double weight, void* stream);
/* stream: a cudaStream_t; null for the default stream, and on the CPU. */
int gradus_epilogue_step(gradus_epilogue* e, const gradus_epilogue_rates* rates, void* stream);
/* Where the loss scale lies, as a double on the device: for a loss that is scaled there. */
const double* gradus_epilogue_loss_scale(const gradus_epilogue* e);
/* Waits for the device. */
int gradus_epilogue_read(gradus_epilogue* e, gradus_epilogue_state* state);
void gradus_epilogue_free(gradus_epilogue* e);
const char* gradus_epilogue_error(void);

#ifdef __cplusplus
}
#endif
#endif
