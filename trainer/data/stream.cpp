#include "gradus/trainer/data/stream.h"

#include <utility>

namespace gradus::trainer {

std::vector<Tensor> StreamDataset::get(std::int64_t index) const {
  raise(ErrorKind::unsupported,
        {"stream: sample ", index, " was asked for; a stream can only be read in its order"});
}

StreamPlace StreamReader::read(std::int64_t rows, std::int64_t first, Batch& batch) {
  std::vector<std::vector<Tensor>> samples;
  const auto next = [&]() -> std::optional<std::vector<Tensor>> {
    const auto number = first + static_cast<std::int64_t>(samples.size());
    try {
      return pass_->next();
    } catch (const FileError&) {
      throw;  // names the file, and whose fault it is
    } catch (const Error& error) {
      raise(error.kind(), {"sample ", number, " of the stream: ", error.what()});
    } catch (const std::exception& error) {
      raise(ErrorKind::io, {"sample ", number, " of the stream: ", error.what()});
    }
  };
  if (ahead_) samples.push_back(*std::exchange(ahead_, std::nullopt));
  while (static_cast<std::int64_t>(samples.size()) < rows) {
    auto sample = next();
    if (!sample) break;
    samples.push_back(std::move(*sample));
  }
  StreamPlace place{pass_->cursor(), true};
  if (static_cast<std::int64_t>(samples.size()) == rows) {
    ahead_ = next();
    place.ended = !ahead_;
  }
  batch.size = static_cast<std::int64_t>(samples.size());
  batch.rows.resize(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i)
    batch.rows[i] = first + static_cast<std::int64_t>(i);
  allocate(fields_, batch);
  for (std::size_t i = 0; i < samples.size(); ++i)
    put_sample(samples[i], static_cast<std::int64_t>(i), batch);
  return place;
}

}  // namespace gradus::trainer
