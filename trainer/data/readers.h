// From files to data sets. Every reader checks what a file says about itself against what the file
// holds before it asks for memory; a file that lies is an error (corrupt) that names it and the
// place.
#pragma once

#include <map>
#include <string>

#include "gradus/trainer/config.h"
#include "gradus/trainer/data/dataset.h"

namespace gradus::trainer {

/// A u8 tensor from an IDX file, plain or gzip.
Tensor read_idx(const std::string& path);

/// Numbers from a CSV file, plain or gzip: (rows, columns) f32. A first line that is not numbers is
/// a header. The error for anything that is not a finite number names line and column.
Tensor read_csv(const std::string& path);

/// An array that NumPy saved, in C order: bool, 8-bit unsigned, 32- or 64-bit integers, or floats.
Tensor read_npy(const std::string& path);

/// Bare numbers of one dtype: (N, shape ...), as many as the file has; the last one must be whole.
Tensor read_raw(const std::string& path, Dtype dtype, const Shape& shape);

/// Images (N, 3, 32, 32) u8 and labels (N) i64 of CIFAR-10's or CIFAR-100's binary files: one file,
/// or all *.bin of a folder by name, of those that begin with `prefix`. CIFAR-100: the fine labels.
struct Cifar {
  Tensor images, labels;
};
Cifar read_cifar(const std::string& path, bool hundred, const std::string& prefix = "");

/// (C, height, width) u8 from a PNG or JPEG file; channels: 1 or 3.
Tensor read_image(const std::string& path, int channels);

/// Images in one folder a class, classes by name; decoded when asked for, and resized to `shape`
/// (C, H, W) where they differ.
DatasetPointer open_image_folder(const std::string& path, const Shape& shape);

/// One variable of a NetCDF-3 file, unpacked: value * scale_factor + add_offset; missing values are
/// NaN.
struct NetcdfVariable {
  std::string name;
  std::vector<std::string> dimensions;
  Tensor data;  // f64
};
/// All variables of numbers of a NetCDF file of the classic formats (CDF-1, -2 and -5).
std::vector<NetcdfVariable> read_netcdf(const std::string& path);

/// Opens every data set of the configuration, with their transforms; those with `from` are split
/// from the named one, and take over its transforms that do not draw where they have none of their
/// own. Sets whose name begins with `_` are ignored.
std::map<std::string, DatasetPointer> open_datasets(const Config& config);

/// One data set as its files are, without transforms. `alphabet`: of the text that was trained on,
/// or empty.
DatasetPointer open_format(const Config& config, const std::string& key, const DataConfig& c,
                           const std::string& alphabet);
/// What `c.format` or the name of its file says; empty if neither does.
std::string format_of(const DataConfig& c);

/// Samples without targets for predictions: read and transformed as data.<like>, each of shape
/// `sample`. A CSV file may have the column of the classes, which is left out.
DatasetPointer open_inputs(const Config& config, const std::string& like, const std::string& file,
                           const Shape& sample);

}  // namespace gradus::trainer
