// The consumer's own tensor/tensor.h: it must not hide Gradus' header, nor be hidden by it.
#pragma once

inline const char* whose_tensor() { return "the consumer's"; }
