// The keys of one data set.
#include "gradus/trainer/config.h"
#include "gradus/trainer/config/key.h"

namespace gradus::trainer {

Keys keys(DataConfig& c) {
  return {
      Key("format", &c.format,
          "idx, cifar10, cifar100, csv, npy, raw, text, tokens, images, netcdf or safetensors; "
          "empty: from the name's ending.")
          .like({"type", "reader"}),
      Key("path", &c.path, "The samples.").is_path().like({"file", "dir", "root", "images"}),
      Key("labels", &c.labels, "The labels, where they have a file of their own (idx, npy, raw).")
          .is_path()
          .like({"targets", "label_path"}),
      Key("shape", &c.shape,
          "Shape of one sample, where the file does not say it (csv, raw), or "
          "which images are resized to.")
          .at_least(1),
      Key("dtype", &c.dtype, "Type of the numbers of a raw file.")
          .one_of({"f32", "f64", "f16", "bf16", "i32", "i64", "u8"}),
      Key("variables", &c.variables,
          "Which variables of a NetCDF file; empty: all of the form of "
          "the first.")
          .like({"fields"}),
      Key("length", &c.length, "tokens", "Length of a sequence of a text.")
          .at_least(1)
          .at_most(1e6)
          .like({"block_size", "sequence_length", "seq_len", "context"}),
      Key("stride", &c.stride, "tokens", "From one sequence to the next; 0: its length.")
          .at_least(0)
          .at_most(1e9),
      Key("batch_size", &c.batch_size, "samples", "Samples of a micro-batch.")
          .at_least(1)
          .at_most(1e9)
          .like({"batch", "bs", "train_batch_size"}),
      Key("transforms", &c.transforms, "What is done to each sample, in this order.")
          .like({"augment", "augmentations"}),
      Key("views", &c.views, "Independent versions of each sample: fields x, x1, x2 ...")
          .at_least(1)
          .at_most(64),
      Key("drop_last", &c.drop_last, "Leave out a last batch that is not full."),
      Key("when", &c.when, "When it is evaluated; auto: test at the end, others at validations.")
          .one_of({"auto", "validation", "end"}),
      Key("from", &c.from, "The dataset this one is a part of."),
      Key("fraction", &c.fraction, "The share of `from` this one takes.").at_least(0).at_most(1),
      Key("workers", &c.workers, "Threads that prepare batches; the order does not depend on it.")
          .at_least(0)
          .at_most(256)
          .like({"num_workers"}),
      Key("prefetch", &c.prefetch, "batches", "Batches prepared ahead.")
          .at_least(1)
          .at_most(10'000)
          .like({"prefetch_factor"}),
      Key("retries", &c.retries,
          "How often reading a batch is tried again, after 0.1, 0.2, 0.4 ... seconds.")
          .at_least(0)
          .at_most(20),
  };
}

}  // namespace gradus::trainer
