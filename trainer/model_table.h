// What a model is made of: a row for each module, with what is in it and what that takes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gradus/nn/module.h"

namespace gradus::trainer {

/// Of one module and all below it; a tensor that is tied counts where it comes first.
struct ModuleRow {
  std::string name;  // "layer1.conv1"; "" for the whole model
  std::string type;  // "Conv2d"
  int depth = 0;
  std::int64_t trainable = 0, frozen = 0, buffers = 0;  // elements
  std::int64_t bytes = 0;
};
/// The whole model first, then its modules in their order.
std::vector<ModuleRow> module_rows(nn::Module& model);

/// A table of at most `most_rows` lines below its head: deeper modules are left out until the rest
/// fits; the total is the last line.
std::string model_table(const std::vector<ModuleRow>& rows, std::size_t most_rows);

}  // namespace gradus::trainer
