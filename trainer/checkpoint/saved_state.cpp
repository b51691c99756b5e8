// To JSON and back. A checksum says that a file is the one that was written, not that a program of
// ours wrote it: reading takes nothing for granted.
#include "gradus/trainer/checkpoint/saved_state.h"

#include "gradus/tensor/build_info.h"
#include "gradus/tensor/error.h"
#include "gradus/tensor/json.h"
#include "gradus/trainer/log/json_line.h"
#include "gradus/trainer/run/files.h"

namespace gradus::trainer {
namespace {

constexpr int format_version = 1;

struct Count {
  const char* name;
  std::int64_t State::*field;
};
constexpr Count counts[] = {{"attempted", &State::attempted}, {"applied", &State::applied},
                            {"micro", &State::micro},         {"samples", &State::samples},
                            {"epoch", &State::epoch},         {"epoch_step", &State::epoch_step},
                            {"cursor", &State::cursor},       {"valid_step", &State::valid_step}};

/// NaN and infinities have no JSON number: they are stored as words.
double number(const Json& j) {
  if (!j.is_string()) return j.number();
  const std::string& word = j.string();
  check(word == "nan" || word == "inf" || word == "-inf", ErrorKind::corrupt,
        "not a number: ", word);
  return word == "nan" ? NAN : word == "inf" ? HUGE_VAL : -HUGE_VAL;
}

Values values_of(const Json& j) {
  Values values;
  for (const Json& v : j.list()) values.emplace_back(v.at(0).string(), number(v.at(1)));
  return values;
}

SavedState::Sums saved_sums(const Json& j) {
  SavedState::Sums sums;
  for (const Json& sum : j.list())
    sums.push_back({sum.at(0).string(), {number(sum.at(1)), number(sum.at(2))}});
  return sums;
}

/// An integer from 0 up (`least` -1: "none" is allowed).
std::int64_t count(const Json& j, const char* name, std::int64_t least = 0) {
  const Json& value = j.at(name);
  check(value.is_integer() && value.integer() >= least, ErrorKind::corrupt, name, " is ",
        value.text(), ", expected a count");
  return value.integer();
}

std::string text_or(const Json& j, const char* name, const char* otherwise) {
  const Json* const found = j.find(name);
  return found ? found->string() : otherwise;
}

SavedState parsed(const std::string& text) {
  const Json j = Json::parse(text);
  const std::int64_t format = count(j, "format_version");
  check(format <= format_version, ErrorKind::unsupported, "checkpoint format ", format,
        ", written by version ", text_or(j, "engine", "?"), ", is newer than this program (",
        version(), ", format ", format_version, ") can read");
  SavedState s;
  for (const Count& c : counts) s.state.*c.field = count(j.at("state"), c.name);
  s.state.elapsed_seconds = number(j.at("state").at("elapsed_seconds"));
  if (const Json* const unfinished = j.find("unfinished")) s.unfinished = unfinished->boolean();
  if (const Json* const entries = j.find("entries"))
    for (const Json& name : entries->list()) s.entries.push_back(name.string());
  s.seed = count(j, "seed");
  s.samples = count(j.at("data"), "samples");
  s.config = j.at("config").string();
  const Json& selection = j.at("selection");
  s.selection = {selection.at("metric").string(),        number(selection.at("best")),
                 count(selection, "best_step", -1),      count(selection, "since_best"),
                 values_of(selection.at("best_values")), {}};
  if (const Json* const history = selection.find("history"))
    for (const Json& v : history->list())
      s.selection.history.emplace_back(v.at(0).integer(), number(v.at(1)));
  s.content = text_or(j, "content", "all");
  s.last_validation = values_of(j.at("last_validation"));
  if (j.find("validated_step") != nullptr) s.validated_step = count(j, "validated_step", -1);
  s.sums = saved_sums(j.at("sums"));
  if (const Json* const judged = j.find("judged")) s.judged = saved_sums(*judged);
  if (const Json* const stream = j.find("stream"))
    s.stream = {stream->at("cursor").string(), stream->at("ended").boolean()};
  s.frozen = text_or(j, "frozen", "");
  for (const auto& [name, text] : j.at("hooks").members()) s.hooks[name] = text.string();
  return s;
}

}  // namespace

static std::string history_text(const std::vector<std::pair<std::int64_t, double>>& history) {
  std::string text = "[";
  for (const auto& [step, value] : history) {
    if (text.size() > 1) text += ", ";
    ((text += '[') += std::to_string(step)) += ", ";
    (text += json_number(value)) += ']';
  }
  return text + ']';
}

static std::string names_text(const std::vector<std::string>& names) {
  std::string text = "[";
  for (const std::string& name : names) (text += text.size() > 1 ? ", " : "") += json_quoted(name);
  return text + ']';
}

std::string to_json(const SavedState& s) {
  const auto list = [](const auto& items, auto&& text_of) {
    std::string text = "[";
    for (const auto& item : items) {
      if (text.size() > 1) text += ", ";
      text += '[' + json_quoted(item.first) + ", " + text_of(item.second) + ']';
    }
    return text + ']';
  };
  const auto sums = [&](const SavedState::Sums& all) {
    return list(all, [](const auto& sum) {
      return json_number(sum.first) + ", " + json_number(sum.second);
    });
  };
  const auto values = [&](const Values& v) { return list(v, json_number); };
  JsonLine state, selection, hooks, json;
  for (const Count& c : counts) state.add(c.name, s.state.*c.field);
  state.add("elapsed_seconds", s.state.elapsed_seconds);
  selection.add("metric", s.selection.metric)
      .add("best", s.selection.best)
      .add("best_step", s.selection.best_step)
      .add("since_best", s.selection.since_best)
      .add_json("best_values", values(s.selection.best_values))
      .add_json("history", history_text(s.selection.history));
  for (const auto& [name, text] : s.hooks) hooks.add(name, text);
  json.add("format_version", std::int64_t{format_version}).add("engine", version());
  json.add("content", s.content);
  json.add_json("state", state.text());
  if (s.unfinished) json.add_json("unfinished", "true");
  if (!s.entries.empty()) json.add_json("entries", names_text(s.entries));
  json.add("seed", s.seed)
      .add_json("selection", selection.text())
      .add_json("last_validation", values(s.last_validation))
      .add("validated_step", s.validated_step)
      .add_json("sums", sums(s.sums))
      .add_json("hooks", hooks.text())
      .add_json("data", JsonLine().add("samples", s.samples).text())
      .add("config", s.config);
  if (!s.judged.empty()) json.add_json("judged", sums(s.judged));
  if (!s.stream.cursor.empty() || s.stream.ended) {
    JsonLine stream;
    stream.add("cursor", s.stream.cursor).add_json("ended", s.stream.ended ? "true" : "false");
    json.add_json("stream", stream.text());
  }
  if (!s.frozen.empty()) json.add("frozen", s.frozen);
  return json.text() + '\n';
}

SavedState read_saved_state(const std::filesystem::path& checkpoint) {
  const std::filesystem::path file = checkpoint / "state.json";
  const std::string text = read_file(Files::system(), file, std::size_t{64} << 20);
  try {
    return parsed(text);
  } catch (const Error& error) {
    raise(error.kind(), {file.native(), ": ", error.what()});
  }
}

}  // namespace gradus::trainer
