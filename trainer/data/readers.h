// From files to data sets.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "gradus/trainer/config.h"
#include "gradus/trainer/data/dataset.h"

namespace gradus::trainer {

/// A u8 tensor from an IDX file, plain or gzip. Throws (corrupt) naming file and offset.
Tensor read_idx(const std::filesystem::path& path);

/// Numbers from a CSV file, plain or gzip: (rows, columns) f32. A first line that is not numbers is
/// a header. Throws (corrupt) naming file, line and column for anything that is not a finite
/// number.
Tensor read_csv(const std::filesystem::path& path);

/// Opens every data set of the configuration; those with `from` are split from the named one.
/// Sets whose name begins with `_` are ignored.
std::map<std::string, DatasetPointer> open_datasets(const Config& config);

/// Samples without targets for predictions: read and transformed as data.<like>, each of shape
/// `sample`. A CSV file may have the column of the classes, which is left out.
DatasetPointer open_inputs(const Config& config, const std::string& like,
                           const std::filesystem::path& file, const Shape& sample);

}  // namespace gradus::trainer
