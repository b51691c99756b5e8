// What a run reads of itself: state.json and the manifest of a checkpoint, the holder of a lock,
// rows of metrics (JSON lines and CSV) that a resumed run goes on with and a plot draws.
#include "gradus/tests/fuzz/harness.h"
#include "gradus/trainer/checkpoint/manifest.h"
#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/log/row_file.h"
#include "gradus/trainer/plot/series.h"
#include "gradus/trainer/run/lock.h"

namespace gradus::fuzz::checkpoint {

using trainer::Files;

int state(Bytes bytes) {
  const auto path = Scratch::file("checkpoint/state.json", bytes);
  return answered([&] {
    const trainer::SavedState saved = trainer::read_saved_state(path.parent_path());
    // What was accepted is written and read back to the same text.
    const std::string text = to_json(saved);
    const Bytes again(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    Scratch::file("checkpoint/state.json", again);
    must(to_json(trainer::read_saved_state(path.parent_path())) == text,
         "a state that is written reads back");
  });
}

int manifest(Bytes bytes) {
  Scratch::file(std::string("checked/") + trainer::manifest_name, bytes);
  Scratch::file("checked/abc", Bytes(reinterpret_cast<const std::uint8_t*>("abc"), 3));
  return answered([&] { verify_directory(Files::system(), Scratch::directory() / "checked"); });
}

int holder(Bytes bytes) {
  const auto found = trainer::parse_holder(std::string(text_of(bytes)));
  if (!found) return 0;
  const auto again = trainer::parse_holder(holder_text(*found));
  must(again && holder_text(*again) == holder_text(*found), "a holder that is written reads back");
  return 0;
}

int rows(Bytes bytes) {
  for (const char* name : {"metrics.jsonl", "metrics.csv"}) {
    const auto path = Scratch::file(std::string("run_") + name + "/" + name, bytes);
    answered([&] { trainer::plot::read_run(path.parent_path()); });
    answered([&] {
      const auto cut_back = [&](auto&& file) {
        file.resume(7);
        file.write({trainer::Record::metrics, 8, 0, false, {{"train/loss", 0.5}}});
        file.flush();
      };
      if (path.extension() == ".csv")
        cut_back(trainer::CsvFile(Files::system(), path, trainer::Record::metrics, 1));
      else
        cut_back(trainer::JsonlFile(Files::system(), path, trainer::Record::metrics, 1));
    });
    std::filesystem::remove_all(path.parent_path());
  }
  return 0;
}

const Registered registered[] = {
    {"state", state}, {"manifest", manifest}, {"holder", holder}, {"rows", rows}};

}  // namespace gradus::fuzz::checkpoint
