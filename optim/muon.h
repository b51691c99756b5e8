// Muon: momentum whose matrix is made nearly orthogonal by Newton-Schulz steps before it is
// applied, for the hidden matrices of a network (torch.optim.Muon; Jordan et al. 2024). Vectors,
// embeddings and the last layer go to another optimizer, such as AdamW.
//
// Two things are not torch's: the products are in the weights' own type (f32 of half weights),
// where torch rounds to bf16; and a tensor of more dimensions counts as a matrix (size(0), all
// others), as a convolution's weight is one.
#pragma once

#include "gradus/optim/optimizer.h"

namespace gradus::optim {

/// What lr is multiplied by for a matrix (A, B): sqrt(max(1, A / B)), or 0.2 sqrt(max(A, B)), which
/// makes updates as large as AdamW's, so that its lr and decay can be used.
enum class MuonRate { original, match_rms_adamw };

struct MuonOptions {
  double lr = 1e-3;
  double weight_decay = 0.1;
  double momentum = 0.95;
  bool nesterov = true;
  std::array<double, 3> ns_coefficients = {3.4445, -4.7750, 2.0315};
  double eps = 1e-7;  // least norm that an update is divided by
  int ns_steps = 5;
  MuonRate adjust_lr = MuonRate::original;
  GRADUS_COMMON_OPTIONS;
};

class Muon : public Optimizer {
 public:
  explicit Muon(const Parameters& parameters, const MuonOptions& options = {})
      : Muon(one_group(parameters), options) {}
  explicit Muon(std::vector<Group> groups, const MuonOptions& options = {});
};

/// `update` (A, ...), contiguous, in place: its matrix (A, B) made nearly orthogonal, times the
/// factor of options.adjust_lr.
void make_orthogonal(const Tensor& update, const MuonOptions& options, double eps);

}  // namespace gradus::optim
